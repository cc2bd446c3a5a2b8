"""The census: how many users each plan has, how many are active, how many credits they hold, as numbers for everybody.

Row-Level Security shows the services one tenant at a time; the dispatcher's role `worker` sees them all, so it is
counted here. Counting looks at every user: one replica does it, and the others tell what it wrote into Redis.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import redis.asyncio
import sqlalchemy as sa

from blueprint.plans import PLANS
from services.kernel.background import background
from services.kernel.db import Database
from services.kernel.keys import Keys
from services.kernel.logs import get_logger
from services.kernel.metrics import CensusMetrics

log = get_logger("census")
COUNTED_SECONDS = 300
"""How long a count holds."""
ASKED_SECONDS = 60
BY_PLAN = sa.text("""
    SELECT plan, count(*) AS users, sum(balance)::bigint AS balance, sum(held)::bigint AS held
    FROM users GROUP BY plan
""")
ACTIVE = sa.text("""
    SELECT count(*) FILTER (WHERE last > now() - interval '1 day') AS "1",
        count(*) FILTER (WHERE last > now() - interval '7 days') AS "7",
        count(*) FILTER (WHERE last > now() - interval '30 days') AS "30"
    FROM (SELECT (SELECT created_at FROM generations WHERE user_id = users.id ORDER BY id DESC LIMIT 1) AS last
        FROM users) AS seen
""")
"""Users who asked for a picture in so many days; their last request is the first entry of an index."""


class Census:
    """Keeps one process's gauges up to date."""

    def __init__(self, db: Database, client: "redis.asyncio.Redis", keys: Keys, metrics: CensusMetrics) -> None:
        self._db = db
        self._redis = client
        self._key = keys.census
        self._metrics = metrics

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Counts at once and then every minute, or learns what another replica counted."""
        async with background("census", self._run()):
            yield

    async def _run(self) -> None:
        while True:
            try:
                await self.take()
            except Exception as error:  # a graph with a gap, and nothing else, depends on it
                log.warning("census put off", error=repr(error))
            await asyncio.sleep(ASKED_SECONDS)

    async def take(self) -> None:
        """Sets the gauges by a count that is at most COUNTED_SECONDS old."""
        found = await self._redis.get(self._key)
        if found is None:
            found = orjson.dumps(await self._count())
            await self._redis.set(self._key, found, ex=COUNTED_SECONDS)
        self._tell(orjson.loads(found))

    async def _count(self) -> dict[str, Any]:
        async with self._db.read() as session:
            plans = await session.all(BY_PLAN)
            active = await session.first(ACTIVE)
        return {"plans": [dict(row) for row in plans], "active": dict(active or {})}

    def _tell(self, count: dict[str, Any]) -> None:
        plans = {one["plan"]: one for one in count["plans"]}
        for plan in (*PLANS, *(set(plans) - set(PLANS))):
            of = plans.get(plan, {})
            self._metrics.users.labels(plan).set(of.get("users", 0))
            self._metrics.balance.labels(plan).set(of.get("balance", 0))
            self._metrics.held.labels(plan).set(of.get("held", 0))
        for days, users in count["active"].items():
            self._metrics.active.labels(days).set(users)
