"""uvicorn as every service runs it: graceful behind a load balancer, on one loop."""

from collections.abc import Sequence
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from blueprint.services import HTTP
from services.kernel.http.state import kernel_of


class Server(uvicorn.Server):
    """Ends event streams as soon as it is told to stop; a stream would hold a graceful stop up to its limit."""

    def __init__(self, config: uvicorn.Config, apps: Sequence[FastAPI]) -> None:
        super().__init__(config)
        self._apps = apps

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        for app in self._apps:
            for stop in kernel_of(app).on_stop:
                stop()


def server(app: ASGIApp, apps: Sequence[FastAPI], *, host: str, port: int) -> Server:
    """A server of `app`, in which `apps` live. Its own access log is off: the kernel writes one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=HTTP.keep_alive_seconds,
        timeout_graceful_shutdown=HTTP.graceful_shutdown_seconds,
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
    )
    return Server(config, apps)
