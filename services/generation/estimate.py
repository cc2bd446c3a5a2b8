"""Where a job stands in the queue and when it may be done."""

from dataclasses import dataclass
from time import time

import redis.asyncio
from redis.exceptions import RedisError

from blueprint.jobs import JobProtocol
from services.kernel import jobs
from services.kernel.db import Database, Row
from services.kernel.keys import Keys


@dataclass(frozen=True, slots=True)
class Estimate:
    """`position` 1 is the next to be taken; `eta` in seconds, None where no worker has measured the model yet."""

    position: int | None = None
    eta: float | None = None


class Estimator:
    """Reads the whole queue's length, every tenant's, and tells of it no more than a number."""

    def __init__(self, db: Database, client: "redis.asyncio.Redis", keys: Keys, protocol: JobProtocol) -> None:
        self._db = db
        self._redis = client
        self._keys = keys
        self._jobs = protocol

    async def of(self, row: Row) -> Estimate:
        """The estimate for a generation that waits or runs; an empty one for what has ended."""
        if row["status"] == "queued":
            async with self._db.read() as session:
                ahead = await session.first(jobs.AHEAD, {"id": row["id"]})
            if ahead is None:
                return Estimate()
            return Estimate(ahead["position"], await self._seconds(row["model"], ahead["work"]))
        if row["status"] == "running":
            steps = row["request"]["steps"] * row["request"]["n"]
            left = row["work"] * (1 - row["step"] / steps)
            return Estimate(None, await self._seconds(row["model"], left, shared=False))
        return Estimate()

    async def _seconds(self, model: str, work: float, *, shared: bool = True) -> float | None:
        try:
            pace = await self._redis.hget(self._keys.pace, model)
            workers = await self.workers() if shared else 1
        except RedisError:
            return None
        return round(work * float(pace) / max(1, workers), 1) if pace else None

    async def workers(self) -> int:
        """Workers that gave a sign lately."""
        return int(await self._redis.zcount(self._keys.workers, time() - self._jobs.worker_seen, "+inf"))
