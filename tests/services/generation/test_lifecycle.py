"""Cancel, retry, listing, and what another tenant sees of it: nothing."""

from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from services.kernel import jobs
from services.kernel.db import Database
from services.kernel.jobs import Job
from services.kernel.settings import Settings
from tests.support.tenants import Registry, Tenant

PATH = "/api/v1/generations"
BODY = {"prompt": "a red circle"}


async def make(client: httpx.AsyncClient, tenant: Tenant, **more: object) -> str:
    answer = await client.post(PATH, json={**BODY, **more}, headers=tenant.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def claim(settings: Settings, wanted: str, registry: Registry, *, lease: float = 30) -> Job:
    """Takes a job as a worker would, made due first so that it is this one."""
    registry.rows("UPDATE generations SET due_at = '2000-01-01' WHERE id = :id", id=wanted)
    db = Database(settings, role="worker")
    async with db.write() as session:
        row = await session.first(jobs.CLAIM, {"worker": "test", "lease": lease})
    await db.close()
    assert row is not None
    assert str(row["id"]) == wanted
    return Job.of(row)


async def test_cancel_while_it_waits_releases_the_hold_at_once(
    client: httpx.AsyncClient, ada: Tenant, registry: Registry
) -> None:
    made = await make(client, ada)
    for _ in range(2):
        answer = await client.post(f"{PATH}/{made}/cancel", headers=ada.headers)
        assert (answer.status_code, answer.json()["status"]) == (202, "canceled")
    assert registry.account(ada) == (100, 0)


async def test_cancel_while_it_runs_raises_the_flag(
    client: httpx.AsyncClient, ada: Tenant, registry: Registry, settings: Settings
) -> None:
    made = await make(client, ada)
    await claim(settings, made, registry)
    answer = await client.post(f"{PATH}/{made}/cancel", headers=ada.headers)
    assert answer.json()["status"] == "running"
    assert answer.json()["cancel_requested"] is True
    assert registry.account(ada) == (100, 1)


async def test_retry_makes_a_new_generation_of_the_same_request(
    client: httpx.AsyncClient, ada: Tenant, registry: Registry
) -> None:
    made = await make(client, ada, seed=42)
    refused = await client.post(f"{PATH}/{made}/retry", headers=ada.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_retryable")
    await client.post(f"{PATH}/{made}/cancel", headers=ada.headers)
    again = (await client.post(f"{PATH}/{made}/retry", headers=ada.headers)).json()
    assert (again["retry_of"], again["seed"], again["status"]) == (made, 42, "queued")
    assert registry.account(ada) == (100, 1)


async def test_a_silent_worker_loses_the_job_and_the_budget_is_bounded(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, registry: Registry, settings: Settings
) -> None:
    made = await make(client, ada)
    for attempt in range(1, settings.jobs.max_failures + 1):
        assert (await claim(settings, made, registry, lease=-1)).attempt == attempt
        await app.state.parts.dispatcher.sweep()
    seen = (await client.get(f"{PATH}/{made}", headers=ada.headers)).json()
    assert (seen["status"], seen["error"]["code"]) == ("failed", "worker_lost")
    assert registry.account(ada) == (100, 0)


async def test_a_cancel_outlives_the_worker(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, registry: Registry, settings: Settings
) -> None:
    made = await make(client, ada)
    await claim(settings, made, registry, lease=-1)
    await client.post(f"{PATH}/{made}/cancel", headers=ada.headers)
    await app.state.parts.dispatcher.sweep()
    assert (await client.get(f"{PATH}/{made}", headers=ada.headers)).json()["status"] == "canceled"
    assert registry.account(ada) == (100, 0)


async def test_a_stale_attempt_writes_nothing(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, registry: Registry, settings: Settings
) -> None:
    made = await make(client, ada)
    stale = await claim(settings, made, registry, lease=-1)
    await app.state.parts.dispatcher.sweep()
    fresh = await claim(settings, made, registry)
    db = Database(settings, role="worker")
    async with db.write() as session:
        assert await session.first(jobs.COMMIT, {**stale.fence, "step": 4}) is None
        assert await session.first(jobs.HAND_BACK, stale.fence) is None
        assert await session.first(jobs.COMMIT, {**fresh.fence, "step": 4}) is not None
        assert await session.first(jobs.COMMIT, {**fresh.fence, "step": 4}) is None
    await db.close()
    assert registry.account(ada) == (99, 0)
    ended = await client.post(f"{PATH}/{made}/cancel", headers=ada.headers)
    assert (ended.status_code, ended.json()["code"]) == (409, "already_ended")


async def test_pages_are_keyset_and_newest_first(client: httpx.AsyncClient, ada: Tenant) -> None:
    made = [await make(client, ada) for _ in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(PATH, params=query, headers=ada.headers)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    bad = await client.get(PATH, params={"cursor": "nonsense"}, headers=ada.headers)
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("POST", "/cancel"), ("POST", "/retry"), ("GET", "/events")])
async def test_another_tenants_generation_is_404(
    client: httpx.AsyncClient, ada: Tenant, eve: Tenant, method: str, tail: str
) -> None:
    made = await make(client, ada)
    for wanted in (made, str(uuid4())):
        answer = await client.request(method, f"{PATH}/{wanted}{tail}", headers=eve.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "generation_not_found")
    assert (await client.get(PATH, headers=eve.headers)).json()["items"] == []


async def test_the_relay_sends_and_marks(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, registry: Registry
) -> None:
    made = await make(client, ada)
    await app.state.parts.dispatcher._committed.join()  # the sweeper rests: whatever is marked, the relay sent
    (row,) = registry.rows("SELECT published_at FROM generations WHERE id = :id", id=made)
    assert row["published_at"]


async def test_what_redis_loses_is_sent_again(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, registry: Registry
) -> None:
    dispatcher = app.state.parts.dispatcher
    made = await make(client, ada)
    await dispatcher._committed.join()
    await app.state.kernel.redis.flushall()
    registry.rows("UPDATE generations SET published_at = now() - interval '1 minute' WHERE id = :id", id=made)
    await dispatcher.sweep()
    assert dispatcher._publisher.depth() >= 1


async def test_a_killed_workers_unacknowledged_wake_up_does_not_count(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, registry: Registry
) -> None:
    """kombu keeps it in a hash for minutes; while it counted as waiting, the job's lost wake-up was never replaced."""
    dispatcher, kernel = app.state.parts.dispatcher, app.state.kernel
    made = await make(client, ada)
    await dispatcher._committed.join()
    await kernel.redis.flushall()
    await kernel.redis.hset(f"{kernel.keys.celery_prefix}unacked", mapping={str(n): "dead" for n in range(50)})
    registry.rows("UPDATE generations SET published_at = now() - interval '1 minute' WHERE id = :id", id=made)
    await dispatcher.sweep()
    assert dispatcher._publisher.depth() >= 1
