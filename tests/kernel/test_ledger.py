"""The ledger: a business key counts once, nothing is overspent however many try, sums and rows agree."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import orjson
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from services.kernel import jobs
from services.kernel.db import Database
from services.kernel.ids import new_id
from services.kernel.ledger import AUDIT, GRANT
from services.kernel.settings import Settings
from tests.support.tenants import Registry, Tenant

REQUEST_ID = "test-of-the-ledger"
ENTRIES = "SELECT kind, amount, held, business_key FROM credit_entries WHERE user_id = :id ORDER BY id"


@pytest.fixture(scope="module")
async def db(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def worker(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings, role="worker")
    yield database
    await database.close()


@pytest.fixture(scope="module", autouse=True)
def _leave_no_jobs(registry: Registry) -> Iterator[None]:
    """What waits here is not for the workers of other tests."""
    yield
    registry.rows("DELETE FROM generations WHERE request_id = :id", id=REQUEST_ID)


async def hold(db: Database, user_id: UUID, price: int) -> UUID:
    """Accepts a generation, as the generation service does."""
    generation_id = new_id()
    values = {
        "id": generation_id,
        "user_id": user_id,
        "model": "tiny",
        "request": orjson.dumps({"steps": 4, "n": 1}).decode(),
        "warnings": "[]",
        "price": price,
        "priority": 3,
        "work": 1.0,
        "idempotency_key": None,
        "request_hash": b"",
        "request_id": REQUEST_ID,
        "retry_of": None,
        "slice": 5.0,
        "max_active": 1000,
    }
    async with db.write(user_id) as session:
        await session.first(jobs.CREATE, values)
    return generation_id


async def test_a_grant_counts_once(db: Database, registry: Registry) -> None:
    ada = registry.tenant(balance=0)

    async def grant() -> int:
        async with db.write(ada.id) as session:
            return await session.execute(GRANT, {"user_id": ada.id, "amount": 50, "business_key": "plan:free:2026-11"})

    touched = await asyncio.gather(*(grant() for _ in range(8)))
    assert sorted(touched) == [0] * 7 + [1]
    assert registry.account(ada) == (50, 0)


async def test_holds_at_once_never_exceed_the_balance(db: Database, registry: Registry) -> None:
    ada = registry.tenant(balance=10)
    answers = await asyncio.gather(*(hold(db, ada.id, 3) for _ in range(9)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refused) == 6
    assert all(isinstance(error, IntegrityError) for error in refused)
    assert registry.account(ada) == (10, 9)


async def test_a_generation_is_settled_once_whoever_tries(db: Database, worker: Database, registry: Registry) -> None:
    ada = registry.tenant(balance=10)
    generation_id = await hold(db, ada.id, 4)
    registry.rows(
        "UPDATE generations SET status = 'running', attempt = 1, started_at = now(),"
        " lease_expires_at = now() - interval '1 second', failures = 2 WHERE id = :id",
        id=generation_id,
    )

    async def commit() -> bool:
        async with worker.write() as session:
            return await session.first(jobs.COMMIT, {"id": generation_id, "attempt": 1, "step": 4}) is not None

    async def expire() -> bool:
        async with worker.write() as session:
            given = {"limit": 10, "max_failures": 3, "error_message": "lost"}
            return any(row["id"] == generation_id for row in await session.all(jobs.EXPIRE, given))

    ended = await asyncio.gather(*(commit() for _ in range(4)), *(expire() for _ in range(4)))
    assert sum(ended) == 1
    entries = registry.rows(ENTRIES, id=ada.id)
    settled = [entry for entry in entries if entry["business_key"] == f"settle:{generation_id}"]
    assert len(settled) == 1
    balance, held = registry.account(ada)
    assert (balance, held) in ((6, 0), (10, 0))
    assert (balance == 6) == (settled[0]["kind"] == "charge")


def test_a_second_settlement_is_refused_by_its_key(registry: Registry) -> None:
    ada = registry.tenant(balance=10)
    insert = (
        "INSERT INTO credit_entries (user_id, kind, amount, held, business_key) "
        "VALUES (:id, :kind, 0, 0, 'settle:' || CAST(:job AS text))"
    )
    job = str(new_id())
    registry.rows(insert, id=ada.id, kind="charge", job=job)
    with pytest.raises(IntegrityError):
        registry.rows(insert, id=ada.id, kind="release", job=job)


@pytest.mark.parametrize("change", ["held = -1", "held = balance + 1", "balance = held - 1", "balance = -1"])
def test_a_users_row_can_never_be_overspent(registry: Registry, change: str) -> None:
    ada = registry.tenant(balance=10)
    with pytest.raises(IntegrityError):
        registry.rows(f"UPDATE users SET {change} WHERE id = :id", id=ada.id)


@pytest.mark.parametrize("role", ["app", "worker"])
@pytest.mark.parametrize("statement", ["UPDATE credit_entries SET amount = 1", "DELETE FROM credit_entries"])
async def test_what_is_written_stays(settings: Settings, role: str, statement: str, ada: Tenant) -> None:
    database = Database(settings, role=role)
    with pytest.raises(DBAPIError) as caught:
        async with database.write(ada.id) as session:
            await session.execute(sa.text(statement))
    assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege)
    await database.close()


@pytest.fixture
def skewed(registry: Registry) -> Iterator[Tenant]:
    """A user whose row was changed behind the ledger's back."""
    tenant = registry.tenant(balance=10)
    registry.rows("UPDATE users SET balance = balance + 5 WHERE id = :id", id=tenant.id)
    yield tenant
    registry.rows("UPDATE users SET balance = balance - 5 WHERE id = :id", id=tenant.id)


async def test_the_audit_finds_who_does_not_add_up(worker: Database, skewed: Tenant, ada: Tenant) -> None:
    async with worker.read() as session:
        found = {row["user_id"]: row for row in await session.all(AUDIT, {"user_id": None})}
        assert await session.all(AUDIT, {"user_id": ada.id}) == []
    assert ada.id not in found
    assert (found[skewed.id]["balance"], found[skewed.id]["entries_balance"]) == (15, 10)
