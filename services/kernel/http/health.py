"""/healthz (the process lives), /readyz (what it needs answers), /metrics (Prometheus)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from blueprint.services import HTTP
from services.kernel.http.state import Kernel

Check = Callable[[], Awaitable[object]]


def health_router(kernel: Kernel, checks: Mapping[str, Check]) -> APIRouter:
    """The three routes that Kubernetes, the load balancer and Prometheus ask.

    Without Redis most services still serve, jobs included, so its absence is told and takes nobody out of the load
    balancer; a service that cannot do without names it in `checks`.
    """
    router = APIRouter(include_in_schema=False)
    wanted: dict[str, Check] = {"database": kernel.db.check, "redis": kernel.redis.ping, **checks}
    vital = {"database", *checks}

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        answers = await asyncio.gather(*(_answer(check) for check in wanted.values()))
        states = dict(zip(wanted, answers, strict=True))
        ready = all(states[name] == "ok" for name in vital)
        body = {"status": "ok" if ready else "unavailable", "checks": states}
        return JSONResponse(body, status_code=200 if ready else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(kernel.registry), media_type=CONTENT_TYPE_LATEST)

    return router


async def _answer(check: Check) -> str:
    try:
        async with asyncio.timeout(HTTP.readiness_check_seconds):
            await check()
    except Exception as error:
        return type(error).__name__
    return "ok"
