"""What the generation service tells Prometheus of the queue and of all users together."""

import asyncio
import re
from uuid import UUID

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from blueprint.plans import PLANS
from services.generation.census import Census
from services.kernel import jobs
from services.kernel.db import Database
from services.kernel.metrics import CensusMetrics
from services.kernel.settings import Settings
from tests.support.tenants import Registry, Tenant

PATH = "/api/v1/generations"
BODY = {"prompt": "a red circle"}


async def metrics(client: httpx.AsyncClient) -> dict[str, float]:
    """Every sample of /metrics by its name with labels."""
    text = (await client.get("/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^(\w+(?:\{.*?\})?) (\S+)$", text, re.MULTILINE)}


async def counted(app: FastAPI, client: httpx.AsyncClient) -> dict[str, float]:
    kernel = app.state.kernel
    await kernel.redis.delete(kernel.keys.census)
    await app.state.parts.census.take()
    return await metrics(client)


async def test_users_and_credits_are_told_by_plan(client: httpx.AsyncClient, app: FastAPI, registry: Registry) -> None:
    before = await counted(app, client)
    registry.tenant(plan="creator", balance=30)
    rich = registry.tenant(plan="creator", balance=70)
    registry.rows("UPDATE users SET held = 5 WHERE id = :id", id=rich.id)
    after = await counted(app, client)

    def grown(name: str) -> float:
        return after[f'{name}{{plan="creator"}}'] - before[f'{name}{{plan="creator"}}']

    assert (grown("users_registered"), grown("credits_balance"), grown("credits_held")) == (2, 100, 5)
    registry.rows("UPDATE users SET held = 0 WHERE id = :id", id=rich.id)
    assert {f'users_registered{{plan="{plan}"}}' for plan in PLANS} <= set(after), "a plan nobody has is a zero"


async def test_active_is_who_asked_for_a_picture_lately(
    client: httpx.AsyncClient, app: FastAPI, registry: Registry, ada: Tenant, eve: Tenant
) -> None:
    before = await counted(app, client)
    for who in (ada, eve, ada):
        assert (await client.post(PATH, json=BODY, headers=who.headers)).status_code == 202
    registry.rows("UPDATE generations SET created_at = now() - interval '3 days' WHERE user_id = :id", id=eve.id)
    after = await counted(app, client)
    names = {days: f'users_active{{days="{days}"}}' for days in (1, 7, 30)}
    assert {days: after[name] - before[name] for days, name in names.items()} == {1: 1, 7: 2, 30: 2}


async def test_one_replica_counts_and_the_others_repeat_it(
    client: httpx.AsyncClient, app: FastAPI, registry: Registry, settings: Settings
) -> None:
    first = await counted(app, client)
    registry.tenant(plan="creator")
    kernel, other = app.state.kernel, CollectorRegistry()
    await Census(app.state.parts.dispatcher.db, kernel.redis, kernel.keys, CensusMetrics(other)).take()
    told = other.get_sample_value("users_registered", {"plan": "creator"})
    assert told == first['users_registered{plan="creator"}'], "it counted anew"
    assert 0 < await kernel.redis.ttl(kernel.keys.census) <= 300


async def test_a_replica_that_does_not_sweep_tells_the_length_all_the_same(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, registry: Registry, settings: Settings
) -> None:
    dispatcher = app.state.parts.dispatcher
    made = UUID((await client.post(PATH, json=BODY, headers=ada.headers)).json()["id"])
    await dispatcher.sweep()
    swept = (await metrics(client))["queue_length"]
    registry.rows("UPDATE generations SET status = 'canceled', finished_at = now() WHERE id = :id", id=made)
    db = Database(settings, role="worker")
    async with db.write() as session:
        assert await session.scalar(jobs.TRY_SWEEPER_LOCK)
        await asyncio.wait_for(dispatcher.sweep(), timeout=5)
    await db.close()
    assert (await metrics(client))["queue_length"] == swept - 1
