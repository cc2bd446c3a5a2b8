"""An application with routes that misbehave on purpose, between the real parts of the kernel."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from services.kernel.errors import ConflictError, UnavailableError
from services.kernel.http.app import create_service
from services.kernel.http.auth import Me, scope
from services.kernel.http.sessions import Reader, TransactionRoute, Writer
from services.kernel.http.state import Kernel
from services.kernel.settings import Settings
from tests.services.conftest import ada, eve, registry  # noqa: F401 (fixtures)
from tests.support.http import client_of

router = APIRouter(prefix="/api/v1/odd", route_class=TransactionRoute)
RENAME = sa.text("UPDATE users SET display_name = :name")
NAME = sa.text("SELECT display_name FROM users")
SECRET = "the-inside-of-the-machine"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    count: Annotated[int, "only so that a second field can be wrong"] = 1


@router.post("/echo")
async def echo(body: Body) -> Body:
    return body


@router.get("/crash")
async def crash() -> None:
    raise RuntimeError(SECRET)


@router.get("/conflict")
async def conflict() -> None:
    raise ConflictError("Too late", balance=3)


@router.get("/away")
async def away() -> None:
    raise UnavailableError


@router.get("/stream")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    return StreamingResponse(parts(), media_type="text/plain", headers={"Cache-Control": "private, max-age=60"})


@router.get("/broken-stream")
async def broken_stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        raise RuntimeError(SECRET)

    return StreamingResponse(parts())


@router.post("/rename")
async def rename(name: str, session: Writer, request: Request) -> dict[str, str]:
    """Renames, then does what `name` says."""
    await session.execute(RENAME, {"name": name})

    async def told() -> None:
        request.app.state.told.append(name)

    session.after_commit(told)
    if name == "crash":
        raise RuntimeError(SECRET)
    if name == "conflict":
        raise ConflictError
    if name == "fail-at-commit":
        await session.execute(sa.text("CREATE TEMPORARY TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        await session.execute(sa.text("INSERT INTO late VALUES (1), (1)"))
    return {"name": name}


@router.get("/name")
async def name(session: Reader) -> dict[str, Any]:
    return {"name": await session.scalar(NAME)}


@router.get("/gallery", dependencies=[Depends(scope("gallery"))])
async def gallery(me: Me) -> dict[str, str]:
    return {"user": str(me.user_id)}


@pytest.fixture(scope="session", autouse=True)
def _plain_tracebacks() -> None:
    """Unconfigured, structlog takes seconds to draw a traceback."""
    structlog.configure(
        processors=[structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )


@pytest.fixture(scope="session")
def odd_app(settings: Settings) -> FastAPI:
    app = create_service(Kernel(settings), "user", [router])
    app.state.told = []
    return app


@pytest.fixture(scope="session")
async def odd(odd_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(odd_app) as client:
        yield client


@pytest.fixture(scope="session")
def secret() -> str:
    """What no response may show."""
    return SECRET
