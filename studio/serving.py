"""The services' own server on a port that is known to be free: `serve` and the studio's gateway."""

import errno
import logging
import socket
from collections.abc import Callable, Sequence

from fastapi import FastAPI
from starlette.types import ASGIApp

from blueprint.services import HTTP
from services.kernel.http.server import server
from studio.errors import BusyError, SetupError

BACKLOG = 2048


def serve(
    make: Callable[[], tuple[ASGIApp, Sequence[FastAPI]]],
    *,
    host: str,
    port: int,
    option: str = "--port",
    graceful_seconds: int = HTTP.graceful_shutdown_seconds,
) -> None:
    """Serves an application, and the services in it, until SIGTERM or SIGINT; event streams end at once then.

    The port is bound before the application is made, so that a taken one is known at once. What is still open
    `graceful_seconds` after the signal is cut off.

    Raises:
        BusyError: the port is taken; the message names `option`, which chooses another.
        SetupError: the address cannot be used.
    """
    with listen(host, port, option=option) as listener:
        app, apps = make()
        running = server(app, apps, host=host, port=port)
        running.config.lifespan = "on"
        running.config.timeout_graceful_shutdown = graceful_seconds
        # Its lines about starting and ending say nothing that the services' own do not.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        running.run(sockets=[listener])


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
