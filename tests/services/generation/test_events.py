"""Events: numbered without a gap, resumable, and replaced by the row where the stream falls short."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from services.generation.streams import Follower
from services.kernel import events, jobs
from services.kernel.db import Database
from services.kernel.http.state import Kernel
from services.kernel.jobs import Job
from services.kernel.settings import Settings
from tests.services.generation.test_lifecycle import claim, make
from tests.support.tenants import Registry, Tenant


class Worker:
    """Writes a job's transitions and tells them, as the worker does."""

    def __init__(self, db: Database, kernel: Kernel, job: Job) -> None:
        self._db, self._kernel, self._job = db, kernel, job

    async def progress(self, step: int, *, tell: bool = True) -> int:
        async with self._db.write() as session:
            row = await session.first(jobs.RENEW, {**self._job.fence, "lease": 30, "step": step, "told": 1})
        assert row is not None
        if tell:
            known = {"id": self._job.id, "status": "running", "step": step, "request": self._job.request}
            await self.tell(events.event({**known, "event_seq": row["event_seq"]}))
        return int(row["event_seq"])

    async def finish(self) -> None:
        async with self._db.write() as session:
            row = await session.first(jobs.COMMIT, {**self._job.fence, "step": 4})
        assert row is not None
        await self.tell(events.event(row))

    async def tell(self, payload: dict[str, object]) -> None:
        await events.tell_async(self._kernel.redis, self._kernel.keys, payload)


@pytest.fixture
async def db(settings: Settings) -> AsyncIterator[Database]:
    made = Database(settings, role="worker")
    yield made
    await made.close()


async def running(client: httpx.AsyncClient, app: FastAPI, db: Database, settings: Settings, registry: Registry,
                  tenant: Tenant) -> tuple[str, Worker]:  # fmt: skip
    made = await make(client, tenant)
    job = await claim(settings, made, registry)
    return made, Worker(db, app.state.kernel, job)


async def read(
    client: httpx.AsyncClient, tenant: Tenant, made: str, last: int | None = None
) -> list[dict[str, object]]:
    headers = {**tenant.headers, **({"Last-Event-ID": str(last)} if last is not None else {})}
    answer = await client.get(f"/api/v1/generations/{made}/events", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            payload = json.loads(fields["data"])
            assert int(fields["id"]) == payload["seq"]
            assert fields["event"] == events.name(payload)
            found.append(payload)
    return found


async def test_a_reader_sees_every_event_once_and_in_order(
    client: httpx.AsyncClient, app: FastAPI, db: Database, settings: Settings, registry: Registry, ada: Tenant
) -> None:
    made, worker = await running(client, app, db, settings, registry, ada)

    async def render() -> None:
        await asyncio.sleep(0.1)
        for step in range(1, 5):
            await worker.progress(step)
        await worker.finish()

    seen, _ = await asyncio.gather(read(client, ada, made), render())
    numbers = [payload["seq"] for payload in seen]
    assert numbers == list(range(2, 8))
    assert seen[-1]["status"] == "succeeded"


async def test_resuming_continues_after_the_last_seen(
    client: httpx.AsyncClient, app: FastAPI, db: Database, settings: Settings, registry: Registry, ada: Tenant
) -> None:
    made, worker = await running(client, app, db, settings, registry, ada)
    for step in range(1, 5):
        await worker.progress(step)
    await worker.finish()
    assert [payload["seq"] for payload in await read(client, ada, made, last=4)] == [5, 6, 7]


async def test_a_gap_is_covered_by_the_row(
    client: httpx.AsyncClient, app: FastAPI, db: Database, settings: Settings, registry: Registry, ada: Tenant
) -> None:
    made, worker = await running(client, app, db, settings, registry, ada)
    await worker.progress(1)
    await worker.progress(2, tell=False)
    await worker.progress(3)
    await worker.finish()
    seen = await read(client, ada, made, last=3)
    assert [payload["seq"] for payload in seen] == [6]
    assert seen[0]["status"] == "succeeded"


async def test_a_flushed_stream_still_ends_with_the_rows_state(
    client: httpx.AsyncClient, app: FastAPI, db: Database, settings: Settings, registry: Registry, ada: Tenant
) -> None:
    made, worker = await running(client, app, db, settings, registry, ada)
    await worker.finish()
    await app.state.kernel.redis.delete(app.state.kernel.keys.events(made))
    for last in (None, 1, 3, 99):
        seen = await read(client, ada, made, last=last)
        assert [(payload["seq"], payload["status"]) for payload in seen] == [(3, "succeeded")]


async def test_streams_end_when_the_service_stops(app: FastAPI, client: httpx.AsyncClient, ada: Tenant) -> None:
    made = await make(client, ada)
    wakes, kernel = app.state.parts.wakes, app.state.kernel

    async def snapshot() -> dict[str, object] | None:
        return None

    follower = Follower(wakes, kernel.redis, kernel.keys, UUID(made), snapshot)
    task = asyncio.create_task(anext(aiter(follower.lines(None)), None))
    await asyncio.sleep(0.05)
    wakes.close()
    assert await asyncio.wait_for(task, 1) is None
    wakes.closing = False
