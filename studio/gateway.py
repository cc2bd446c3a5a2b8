"""The one origin of the studio: the five services in one process, told apart by path as the load balancer does it.

`python -m studio.gateway --port 8000` serves it. Beside the services' own paths: `/` a page to draw with, `/healthz`
and `/readyz` of all, `/metrics` of all with a label `service`, `/metrics/<name>` of one.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from blueprint.services import GATEWAY_PORT, SERVICES
from services.kernel import logs
from services.kernel.errors import BadRequestError, NotFoundError
from services.kernel.http.app import load
from services.kernel.http.problems import add_problem_handlers, problem_response
from services.kernel.http.state import kernel_of
from services.kernel.ids import new_id
from studio.environment import settings_of
from studio.errors import StudioError
from studio.home import PROJECT
from studio.processes import LOOPBACK
from studio.serving import serve

PAGE = PROJECT / "studio" / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
GRACEFUL_SECONDS = 8
"""Less than the studio waits for the services at its end (`studio.runtime`)."""
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class Gateway:
    """Sends each request to the service with the longest matching prefix, and the rest to `fallback`."""

    def __init__(self, apps: Mapping[str, FastAPI], fallback: FastAPI) -> None:
        self._apps = apps
        self._fallback = fallback
        prefixes = {prefix: name for name in apps for prefix in SERVICES[name].path_prefixes}
        prefixes |= {SERVICES[name].docs_path: name for name in apps}
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[0]))

    def lifespan(self) -> AbstractAsyncContextManager[object]:
        """The life of all services, for whoever runs them without a server."""
        return self._fallback.router.lifespan_context(self._fallback)

    def service(self, path: str) -> str | None:
        """The name of the service that a path belongs to."""
        for prefix, name in self._prefixes:
            if path == prefix or path.startswith(prefix + "/"):
                return name
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = self.service(scope["path"]) if scope["type"] == "http" and _local(scope) else None
        await (self._fallback if name is None else self._apps[name])(scope, receive, send)


def _local(scope: Scope) -> bool:
    """Whether the request was meant for this machine: a web page elsewhere may point its own name at 127.0.0.1."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    return (host if host.endswith("]") else host.rsplit(":", 1)[0]) in LOCAL_HOSTS


class _Merged(Collector):
    """The metrics of several registries as one exposition, each sample labelled with its service."""

    def __init__(self, registries: Mapping[str, CollectorRegistry]) -> None:
        self._registries = registries

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for name, registry in self._registries.items():
            for found in registry.collect():
                family = families.setdefault(
                    found.name, Metric(found.name, found.documentation, found.type, found.unit)
                )
                for sample in found.samples:
                    labels = {**sample.labels, "service": name}
                    family.add_sample(sample.name, labels, sample.value, sample.timestamp, sample.exemplar)
        return families.values()


def create_gateway(apps: Mapping[str, FastAPI]) -> Gateway:
    """The gateway of some or all services; its lifespan is theirs."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    front = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    add_problem_handlers(front)
    merged = CollectorRegistry(auto_describe=False)
    merged.register(_Merged({name: kernel_of(app).registry for name, app in apps.items()}))

    @front.middleware("http")
    async def guard(request: Request, call_next: object) -> Response:
        request.scope["request_id"] = str(new_id())
        if not _local(request.scope):
            return problem_response(request, BadRequestError("This studio answers on 127.0.0.1 and localhost only"))
        response: Response = await call_next(request)  # type: ignore[operator]
        response.headers["X-Request-ID"] = request.scope["request_id"]
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    @front.get("/")
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    @front.get("/studio.{kind}")
    async def asset(kind: str) -> FileResponse:
        path = PAGE / f"studio.{kind}"
        if kind not in ("css", "js", "svg"):
            raise NotFoundError
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    @front.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @front.get("/readyz")
    async def readyz() -> JSONResponse:
        answers = await asyncio.gather(*(_ask(app, "/readyz") for app in apps.values()))
        ready = all(answer.status_code == 200 for answer in answers)
        body = {
            "status": "ok" if ready else "unavailable",
            "services": {name: answer.json() for name, answer in zip(apps, answers, strict=True)},
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    @front.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(merged), media_type=CONTENT_TYPE_LATEST)

    @front.get("/metrics/{name}")
    async def metrics_of(name: str) -> Response:
        if name not in apps:
            raise NotFoundError(f"There is no service {name!r}; there are {', '.join(apps)}")
        answer = await _ask(apps[name], "/metrics")
        return Response(answer.content, media_type=CONTENT_TYPE_LATEST)

    @front.api_route("/{path:path}", methods=METHODS)
    async def unknown(path: str) -> Response:
        raise NotFoundError(f"No service answers at /{path}")

    return Gateway(apps, front)


async def _ask(app: ASGIApp, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        return await client.get(path)


def main() -> int:
    parser = argparse.ArgumentParser(prog="studio.gateway")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=GATEWAY_PORT)
    arguments = parser.parse_args()

    def make() -> tuple[Gateway, list[FastAPI]]:
        settings = settings_of(os.environ)
        logs.configure(settings, "services")
        apps = {name: load(name)(settings) for name in SERVICES}
        return create_gateway(apps), list(apps.values())

    try:
        serve(make, host=arguments.host, port=arguments.port, graceful_seconds=GRACEFUL_SECONDS)
    except StudioError as error:
        sys.stderr.write(f"{error.message} {error.advice}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
