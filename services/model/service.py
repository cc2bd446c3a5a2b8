"""The catalogue: the models folder, taken into the table `models` again and again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.kernel.background import background
from services.kernel.catalogue import Entry, ModelsFolderMissingError, Scanner
from services.kernel.db import Database, ReadSession, Row
from services.kernel.errors import PingvasError
from services.kernel.ids import new_id
from services.kernel.logs import get_logger
from services.kernel.settings import Settings
from services.model import repository
from services.model.errors import ModelNotFoundError

log = get_logger("catalogue")
SYNC_SECONDS = 30.0
GONE = "Its folder is gone from the models folder"


class Catalogue:
    """Keeps the table like the folder, in the role `worker`: shared rows are nobody's own, so `app` cannot write them.

    Every replica of the service runs one; an advisory lock lets one write at a time.
    """

    def __init__(self, settings: Settings, *, every: float = SYNC_SECONDS) -> None:
        self._settings = settings
        self._scanner = Scanner(settings.models_dir)
        self._every = every

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes the folder in before the service starts to answer, and every `every` seconds as long as it lives."""
        db = Database(self._settings, role="worker")
        try:
            await self._try(db)
            async with background("catalogue", self._repeat(db)):
                yield
        finally:
            await db.close()

    async def sync(self, db: Database) -> int:
        """Takes the folder in once; returns how many rows changed.

        A folder that is missing is an empty catalogue: nothing could be rendered.

        Raises:
            ModelsFolderMissingError: after every shared model was marked as not available.
            DatabaseUnavailableError: nothing was changed.
        """
        missing: ModelsFolderMissingError | None = None
        entries: list[Entry] = []
        try:
            entries = await asyncio.to_thread(self._scanner.scan)
        except ModelsFolderMissingError as error:
            missing = error
        async with db.write() as session:
            if not await repository.try_lock(session):
                return 0
            changed = await repository.put(session, [{"id": str(new_id()), **entry.row} for entry in entries])
            changed += await repository.retire(session, [entry.name for entry in entries], GONE)
        if missing:
            raise missing
        return changed

    async def check(self) -> None:
        """For `/readyz`. Raises ModelsFolderMissingError."""
        if not await asyncio.to_thread(self._settings.models_dir.is_dir):
            raise ModelsFolderMissingError(f"{self._settings.models_dir} is no folder")

    async def _repeat(self, db: Database) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self._try(db)

    async def _try(self, db: Database) -> None:
        try:
            changed = await self.sync(db)
        except ModelsFolderMissingError as error:
            log.error("models folder missing", error=str(error))
        except PingvasError as error:
            log.warning("catalogue not taken in", code=error.code, detail=error.detail)
        except Exception as error:
            # Whatever it is, the next turn may succeed, and the service answers from the table meanwhile.
            log.error("catalogue not taken in", exc_info=error)
        else:
            if changed:
                log.info("catalogue changed", models=changed)


async def model(session: ReadSession, name: str) -> Row:
    """One shared model. Raises ModelNotFoundError."""
    row = await repository.model(session, name)
    if row is None:
        raise ModelNotFoundError(f"There is no model {name!r}", model=name)
    return row
