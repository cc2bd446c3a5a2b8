"""TransactionRoute: the commit comes before the response, and an error leaves nothing behind."""

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from services.kernel.db import Database, DatabaseUnavailableError, SchemaMissingError
from services.kernel.settings import Settings
from studio.processes import free_port
from tests.support.tenants import Registry, Tenant

RENAME = "/api/v1/odd/rename"
STORED = "SELECT display_name FROM users WHERE id = :id"


def stored(registry: Registry, tenant: Tenant) -> str:
    (row,) = registry.rows(STORED, id=tenant.id)
    return str(row["display_name"])


async def test_the_commit_comes_before_the_response(
    odd_app: FastAPI, odd: httpx.AsyncClient, registry: Registry, ada: Tenant
) -> None:
    seen: list[str] = []

    async def watching(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        async def sending(message: dict) -> None:  # type: ignore[type-arg]
            if message["type"] == "http.response.start":
                seen.append(stored(registry, ada))
            await send(message)  # type: ignore[operator]

        await odd_app(scope, receive, sending)  # type: ignore[arg-type]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(watching), base_url="http://x") as client:
        response = await client.post(RENAME, params={"name": "Ada"}, headers=ada.headers)
    assert response.status_code == 200
    assert seen == ["Ada"]


@pytest.mark.parametrize(("name", "status"), [("crash", 500), ("conflict", 409), ("fail-at-commit", 500)])
async def test_an_error_rolls_back(
    odd_app: FastAPI, odd: httpx.AsyncClient, registry: Registry, ada: Tenant, name: str, status: int
) -> None:
    response = await odd.post(RENAME, params={"name": name}, headers=ada.headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert stored(registry, ada) == "Test"
    assert name not in odd_app.state.told


async def test_what_waits_for_the_commit_runs_after_it(odd_app: FastAPI, odd: httpx.AsyncClient, ada: Tenant) -> None:
    await odd.post(RENAME, params={"name": "told-once"}, headers=ada.headers)
    assert odd_app.state.told.count("told-once") == 1


async def test_a_tenant_writes_and_reads_its_own_row_alone(
    odd: httpx.AsyncClient, registry: Registry, ada: Tenant, eve: Tenant
) -> None:
    await odd.post(RENAME, params={"name": "Everybody?"}, headers=ada.headers)  # an UPDATE without WHERE
    assert stored(registry, ada) == "Everybody?"
    assert stored(registry, eve) == "Test"
    assert (await odd.get("/api/v1/odd/name", headers=eve.headers)).json() == {"name": "Test"}


async def test_a_value_that_no_column_holds_is_a_422(odd: httpx.AsyncClient, ada: Tenant) -> None:
    response = await odd.post(RENAME, params={"name": "nul\x00"}, headers=ada.headers)
    assert response.status_code == 422


async def test_a_database_that_is_away_is_a_503_error(settings: Settings) -> None:
    url = f"postgresql+psycopg://app:pw@127.0.0.1:{free_port()}/pingvas_saas"
    db = Database(Settings.model_validate({"database_url": url, "jwt_secret": "x" * 40}))
    with pytest.raises(DatabaseUnavailableError) as caught:
        await db.check()
    assert caught.value.status == 503
    await db.close()


async def test_a_connection_that_a_restart_cut_is_replaced_unnoticed(settings: Settings, ada: Tenant) -> None:
    """A failover once cost every waiting connection of every pool a 503."""
    pid, end = sa.text("SELECT pg_backend_pid()"), sa.text("SELECT pg_terminate_backend(:pid, 5000)")
    db, other = Database(settings), Database(settings)

    async def cut() -> int:
        async with db.read(ada.id) as session:
            old = int(await session.scalar(pid))
        async with other.read() as session:
            assert await session.scalar(end, {"pid": old})
        return old

    for transaction in (db.read, db.write):
        old = await cut()
        async with transaction(ada.id) as session:
            assert await session.scalar(pid) != old
            assert await session.scalar(sa.text("SELECT id FROM users")) == ada.id
    await cut()
    with pytest.raises(DatabaseUnavailableError):
        await db.check()
    await db.check()
    await db.close()
    await other.close()


async def test_connections_go_back_after_errors(odd_app: FastAPI, odd: httpx.AsyncClient, ada: Tenant) -> None:
    for _ in range(12):  # more than the pool holds
        await odd.post(RENAME, params={"name": "crash"}, headers=ada.headers)
    assert (await odd.get("/api/v1/odd/name", headers=ada.headers)).status_code == 200


async def test_a_database_without_tables_is_not_ready(settings: Settings) -> None:
    """A service beside an unmigrated schema once said that it was ready, and answered every request with a 500."""
    database = Database(settings.model_copy(update={"database_schema": "public"}))
    with pytest.raises(SchemaMissingError):
        await database.check()
    await database.close()
