"""The reaper: no object without a row, no row without an object.

A worker that dies between its upload and its commit leaves objects that no row names; a deleted picture leaves a row
whose objects are to go. Both are cleared in the background, objects first: whatever dies in between, the next round
finds what is left.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.gallery import repository
from services.kernel.background import background
from services.kernel.db import Database
from services.kernel.errors import UnavailableError
from services.kernel.jobs import generation_folder
from services.kernel.logs import get_logger
from services.kernel.settings import Settings
from services.kernel.storage import Storage

log = get_logger("reaper")
BATCH = 100


class Reaper:
    """Works in the role `worker`, since it clears after every tenant; no request reaches it."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._db = Database(settings, role="worker")
        self._storage = storage
        self._jobs = settings.jobs

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with background("reaper", self._run()):
                yield
        finally:
            await self._db.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._jobs.sweep)
            try:
                await self.reap()
            except UnavailableError as error:
                log.warning("reaping put off", error=error.detail)
            except Exception as error:  # a reaper that ends would let objects pile up quietly
                log.error("reaping failed", exc_info=error)

    async def reap(self, *, after: float | None = None) -> int:
        """One round; returns how many objects went. `after` seconds from a job's end its folder is searched."""
        return await self._orphans(self._jobs.reap_after if after is None else after) + await self._deleted()

    async def _orphans(self, after: float) -> int:
        async with self._db.read(fresh=True) as session:
            ended = await session.all(repository.UNREAPED, {"after": after, "limit": BATCH})
            orphans = []
            for row in ended:
                kept = {
                    key
                    for image in await session.all(repository.KEPT_OBJECTS, {"id": row["id"]})
                    for key in (image["object_key"], image["thumbnail_key"])
                }
                found = [key async for key in self._storage.keys(generation_folder(row["id"]))]
                orphans += [key for key in found if key not in kept]
        await self._storage.delete_async(orphans)
        if ended:
            async with self._db.write() as session:
                await session.execute(repository.REAPED, {"ids": [row["id"] for row in ended]})
        if orphans:
            log.info("orphans deleted", objects=len(orphans))
        return len(orphans)

    async def _deleted(self) -> int:
        async with self._db.read(fresh=True) as session:
            rows = await session.all(repository.DELETED, {"limit": BATCH})
        objects = [key for row in rows for key in (row["object_key"], row["thumbnail_key"])]
        await self._storage.delete_async(objects)
        if rows:
            async with self._db.write() as session:
                await session.execute(repository.FORGET, {"ids": [row["id"] for row in rows]})
        return len(objects)
