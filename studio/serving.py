"""uvicorn, as the studio and the containers run it: uvloop, httptools, one process, a bounded graceful end."""

import errno
import logging
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from blueprint.services import HTTP
from studio.errors import BusyError, SetupError

BACKLOG = 2048


def serve(make: Callable[[], ASGIApp], *, host: str, port: int, option: str = "--port") -> None:
    """Serves an application until SIGTERM or SIGINT.

    The port is bound before the application is made, so that a taken one is known at once.

    Raises:
        BusyError: the port is taken; the message names `option`, which chooses another.
        SetupError: the address cannot be used.
    """
    listener = listen(host, port, option=option)
    config = uvicorn.Config(
        make(),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=HTTP.keep_alive_seconds,
        timeout_graceful_shutdown=HTTP.graceful_shutdown_seconds,
    )
    # Its lines about starting and ending say nothing that the services' own do not.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A bound socket. Raises BusyError or SetupError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise BusyError(
                f"Port {port} is taken by another program.", advice=f"Choose another one: {option} {port + 1}."
            ) from error
        raise SetupError(
            f"Cannot listen on {host}:{port}: {error.strerror}.", advice=f"Choose another port with {option}."
        ) from error
    return listener
