"""One FastAPI application as all five services are made."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import APIRouter, FastAPI

from blueprint.services import SERVICES
from services.kernel import logs
from services.kernel.http.health import Check, health_router
from services.kernel.http.middleware import KernelMiddleware
from services.kernel.http.problems import Problem, add_problem_handlers
from services.kernel.http.state import Kernel
from services.kernel.settings import Settings

Part = Callable[[], AbstractAsyncContextManager[object]]
PROBLEMS: dict[int | str, dict[str, object]] = {
    "4XX": {"model": Problem, "content": {"application/problem+json": {}}, "description": "What is wrong, as a problem"}
}


def create_service(
    kernel: Kernel,
    name: str,
    routers: Sequence[APIRouter],
    *,
    parts: Sequence[Part] = (),
    checks: Mapping[str, Check] | None = None,
) -> FastAPI:
    """A service: its routers between the kernel's middleware, problems, health and metrics.

    Args:
        parts: context managers that live as long as the application does, entered in order.
        checks: what `/readyz` asks besides the database and Redis.
    """
    service = SERVICES[name]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(kernel.close)
            for part in parts:
                await stack.enter_async_context(part())
            logs.get_logger("lifespan").info("started", service=name, env=kernel.settings.env)
            yield

    app = FastAPI(
        title=f"Pingvas Studio: {service.title}",
        version="1",
        docs_url=service.docs_path,
        openapi_url=f"{service.docs_path}/openapi.json",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        lifespan=lifespan,
        responses=PROBLEMS,
    )
    app.state.kernel = kernel
    add_problem_handlers(app)
    app.add_middleware(KernelMiddleware, metrics=kernel.metrics, docs_path=service.docs_path)
    for router in routers:
        app.include_router(router)
    app.include_router(health_router(kernel, checks or {}))
    return app


def load(name: str) -> Callable[[Settings], FastAPI]:
    """`create_app` of a service by its name, imported only when asked for."""
    from importlib import import_module

    if name not in SERVICES:
        raise ValueError(f"{name!r} is none of the services {', '.join(SERVICES)}")
    factory: Callable[[Settings], FastAPI] = import_module(f"services.{name}.app").create_app
    return factory
