"""The dispatcher: sends the wake-ups of what was committed, and looks after what was lost.

The relay sends the jobs that this process has just committed. The sweeper, one at a time over all replicas,
expires silent workers' leases, sends what a dead service left unsent, and sends again what Redis has lost.
It sees every tenant's jobs, so it works in the role `worker`; no request reaches it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from uuid import UUID

import redis.asyncio

from services.kernel import events, jobs
from services.kernel.background import background
from services.kernel.db import Database, DatabaseUnavailableError, Row
from services.kernel.errors import UnavailableError
from services.kernel.keys import Keys
from services.kernel.logs import get_logger
from services.kernel.metrics import QueueMetrics
from services.kernel.queue import Publisher, PublishError
from services.kernel.redis import RedisUnavailableError
from services.kernel.settings import Settings

log = get_logger("dispatcher")
MARK_SECONDS = 0.05
"""A wake-up is marked as sent this much later: by then an idle worker has the job, and the mark has nothing to do."""


class WakeUp(NamedTuple):
    """What the queue needs to know of a job."""

    id: UUID
    priority: int
    request_id: str


class Dispatcher:
    """Relay and sweeper of one process."""

    def __init__(self, settings: Settings, client: "redis.asyncio.Redis", metrics: QueueMetrics) -> None:
        self.db = Database(settings, role="worker")
        self._jobs = settings.jobs
        self._keys = Keys(settings.env)
        self._redis = client
        self._metrics = metrics
        self._publisher = Publisher(settings)
        self._committed: asyncio.Queue[WakeUp] = asyncio.Queue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs relay and sweeper; at the end what is committed is still sent."""
        try:
            async with background("relay", self._relay()), background("sweeper", self._sweep()):
                try:
                    yield
                finally:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._committed.join(), timeout=2)
        finally:
            self._publisher.close()
            await self.db.close()

    def committed(self, job: WakeUp) -> None:
        """Takes a job whose row is committed."""
        self._committed.put_nowait(job)

    async def _relay(self) -> None:
        while True:
            batch = [await self._committed.get()]
            while len(batch) < self._jobs.relay_batch and not self._committed.empty():
                batch.append(self._committed.get_nowait())
            try:
                await self._send(batch)
            except Exception as error:  # the sweeper finds what was not sent
                log.warning("wake-ups not sent", count=len(batch), error=repr(error))
            finally:
                for _ in batch:
                    self._committed.task_done()

    async def _send(self, batch: list[WakeUp]) -> None:
        await asyncio.to_thread(self._publisher.send, batch)
        await asyncio.sleep(MARK_SECONDS)
        async with self.db.write() as session:
            await session.execute(jobs.PUBLISHED, {"ids": [job.id for job in batch]})

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._jobs.sweep)
            try:
                await self.sweep()
            except (DatabaseUnavailableError, UnavailableError, *RedisUnavailableError, *PublishError) as error:
                log.warning("sweep put off", error=repr(error))
            except Exception as error:  # a sweeper that ends would lose jobs quietly
                log.error("sweep failed", exc_info=error)

    async def sweep(self) -> None:
        """One round; does nothing while another replica's is under way."""
        async with self.db.write() as session:
            if not await session.scalar(jobs.TRY_SWEEPER_LOCK):
                # every replica tells the length: one that told it once and never swept again would repeat it for ever
                self._metrics.length.set(await session.scalar(jobs.QUEUED))
                return
            expired = await session.all(
                jobs.EXPIRE,
                {
                    "limit": self._jobs.relay_batch,
                    "max_failures": self._jobs.max_failures,
                    "error_message": jobs.WORKER_LOST,
                },
            )
            unsent = await session.all(jobs.TO_PUBLISH, {"limit": self._jobs.relay_batch})
            waiting = await session.scalar(jobs.QUEUED)
        self._metrics.length.set(waiting)
        if expired:
            self._metrics.expired.inc(len(expired))
            log.warning("leases expired", generations=[str(row["id"]) for row in expired])
            await events.tell_async(self._redis, self._keys, *(events.event(row) for row in expired))
        await self._resend(unsent)
        await self._replace_lost(waiting - len(unsent))

    async def _replace_lost(self, published: int) -> None:
        """Sends again as many wake-ups as Redis holds fewer than there are jobs that wait for one."""
        lost = published - await asyncio.to_thread(self._publisher.depth)
        if lost <= 0:
            return
        async with self.db.read(fresh=True) as session:
            stale = await session.all(
                jobs.TO_REPUBLISH,
                {"after": self._jobs.republish_after, "limit": min(lost, self._jobs.relay_batch)},
            )
        if stale:
            log.warning("wake-ups sent again", count=len(stale))
            self._metrics.republished.inc(len(stale))
            await self._resend(stale)

    async def _resend(self, rows: Sequence[Row]) -> None:
        batch = [WakeUp(row["id"], row["priority"], row["request_id"]) for row in rows]
        if batch:
            await self._send(batch)
