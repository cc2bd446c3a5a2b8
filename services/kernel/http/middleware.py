"""What wraps every request: its id, its log line, its metrics, its size limit, its security headers.

Plain ASGI, one layer: a response streams through untouched.
"""

import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blueprint.services import HTTP
from services.kernel.errors import TooLargeError
from services.kernel.http.problems import problem_response, unexpected
from services.kernel.ids import new_id
from services.kernel.logs import bound_contextvars, get_logger
from services.kernel.metrics import HttpMetrics

log = get_logger("access")
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "img-src 'self' data: https://fastapi.tiangolo.com; frame-ancestors 'none'"
)
"""FastAPI's OpenAPI page loads its viewer from there; no other page of a service has a script."""
QUIET = ("/healthz", "/readyz", "/metrics")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class KernelMiddleware:
    """The one middleware of a service."""

    def __init__(
        self, app: ASGIApp, *, metrics: HttpMetrics, docs_path: str, body_bytes: int = HTTP.body_bytes
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.docs_path = docs_path
        self.body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        offered = headers.get("x-request-id", "")
        request_id = offered if REQUEST_ID.fullmatch(offered) else str(new_id())
        scope["request_id"] = request_id
        started = time.perf_counter()
        status, answered = 500, False

        async def annotated(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                self._annotate(MutableHeaders(raw=message["headers"]), request_id, scope["path"])
                message["headers"] = message["headers"]
                self._count(scope, status, time.perf_counter() - started)
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                length = headers.get("content-length", "0")
                if length.isdecimal() and int(length) > self.body_bytes:
                    response = problem_response(Request(scope), TooLargeError(self._limit()))
                    # What is on its way is not read, so the connection cannot be used again.
                    response.headers["Connection"] = "close"
                    await response(scope, receive, annotated)
                else:
                    await self.app(scope, self._bounded(receive), annotated)
            except Exception as error:
                # Here and not in a handler of the application's: those answer outside this middleware, without its
                # headers and its request id.
                response = unexpected(Request(scope), error)
                if answered:
                    raise
                await response(scope, receive, annotated)
            finally:
                if scope["path"] not in QUIET:
                    log.info(
                        "request",
                        method=scope["method"],
                        path=scope["path"],
                        status=status,
                        ms=round((time.perf_counter() - started) * 1000, 1),
                    )

    def _annotate(self, headers: MutableHeaders, request_id: str, path: str) -> None:
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if path.startswith(self.docs_path):
            headers["Content-Security-Policy"] = DOCS_POLICY
        headers.setdefault("Cache-Control", "no-store")
        headers["X-Request-ID"] = request_id

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.duration.labels(method, route).observe(seconds)

    def _bounded(self, receive: Receive) -> Receive:
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.body_bytes:
                # The one kind of exception that FastAPI does not turn into a 400 while it reads a body.
                raise HTTPException(413, self._limit())
            return message

        return bounded

    def _limit(self) -> str:
        return f"The body may have at most {self.body_bytes} bytes"
