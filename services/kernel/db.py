"""PostgreSQL: engines, and transactions that name their tenant.

Row-Level Security reads `app.user_id`, which a transaction sets for itself alone; a transaction without a tenant
sees no owned row in the role `app`. Reading and writing sessions are different types, so that code that only reads
can be sent to a replica, and a function's signature says whether it may change anything.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.kernel.addresses import password_file, with_authorities
from services.kernel.errors import UnavailableError
from services.kernel.settings import Settings
from services.kernel.tables import REVISION

SET_TENANT = sa.text("SELECT set_config('app.user_id', :user_id, true) AS tenant").columns(sa.column("tenant"))
POOL_SECONDS = 10
CONNECT_SECONDS = 5

Row = sa.RowMapping
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class DatabaseUnavailableError(UnavailableError):
    """PostgreSQL does not answer; nothing was changed, or the change is not known to have been made."""

    code = "database_unavailable"


class SchemaMissingError(UnavailableError):
    """The database answers, and has no tables in the schema: `python -m migrations` was not run."""

    code = "schema_missing"


class SchemaOutdatedError(UnavailableError):
    """The tables are older than this code, which reads columns that they have not yet."""

    code = "schema_outdated"


class ReadSession:
    """A transaction that reads."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self, statement: sa.Executable, parameters: Parameters | None = None) -> Sequence[Row]:
        return (await self._connection.execute(statement, parameters)).mappings().all()

    async def first(self, statement: sa.Executable, parameters: Parameters | None = None) -> Row | None:
        return (await self._connection.execute(statement, parameters)).mappings().first()

    async def scalar(self, statement: sa.Executable, parameters: Parameters | None = None) -> Any:
        return (await self._connection.execute(statement, parameters)).scalar()


class WriteSession(ReadSession):
    """A transaction that writes; whoever opened it commits, nobody else."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._after_commit: list[Callable[[], Awaitable[None]]] = []

    async def execute(self, statement: sa.Executable, parameters: Parameters | None = None) -> int:
        """Runs a statement and returns how many rows it touched."""
        return int((await self._connection.execute(statement, parameters)).rowcount)

    async def enter(self, tenant: UUID) -> None:
        """Goes on as this tenant; for a transaction that finds out whose it is on its way."""
        await _name_tenant(self._connection, tenant)

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Runs `action` once the transaction is committed, and never if it is not."""
        self._after_commit.append(action)

    async def committed(self) -> None:
        for action in self._after_commit:
            await action()


class Database:
    """The engines of one role: one to the writer, one to a reader where there is one."""

    def __init__(self, settings: Settings, *, role: str = "app") -> None:
        name = "database_url" if role == "app" else f"database_{role}_url"
        url = settings.require(name).get_secret_value()
        self._writer = _engine(url, settings)
        reader = settings.database_reader_url if role == "app" else None
        self._reader = _engine(reader.get_secret_value(), settings) if reader else self._writer

    @asynccontextmanager
    async def write(self, tenant: UUID | None = None) -> AsyncIterator[WriteSession]:
        """One transaction on the writer, committed at the end of the block and rolled back by an exception.

        Raises:
            DatabaseUnavailableError: no connection, or it was lost on the way.
        """
        with _mapped():
            async with self._writer.connect() as connection:
                await _begin(connection, tenant)
                session = WriteSession(connection)
                yield session
                await connection.commit()
        await session.committed()

    @asynccontextmanager
    async def read(self, tenant: UUID | None = None, *, fresh: bool = False) -> AsyncIterator[ReadSession]:
        """One reading transaction: on a reader, for what may be a moment old, or on the writer where it may not."""
        with _mapped():
            async with (self._writer if fresh else self._reader).connect() as connection:
                await _begin(connection, tenant)
                yield ReadSession(connection)

    async def check(self) -> None:
        """Asks whether the tables are there, and as new as the code. Newer ones are fine: a migration comes before
        the code that needs it, and what runs meanwhile goes on.

        Raises:
            DatabaseUnavailableError: no answer.
            SchemaMissingError: the schema was not migrated.
            SchemaOutdatedError: it was, but not far enough.
        """
        async with self.read() as session:
            if await session.scalar(sa.text("SELECT to_regclass('alembic_version')")) is None:
                raise SchemaMissingError
            found = await session.scalar(sa.text("SELECT version_num FROM alembic_version"))
        if found is None:
            raise SchemaMissingError
        if int(found) < int(REVISION):
            raise SchemaOutdatedError(f"The schema is at revision {found}, and this version needs {REVISION}")

    async def close(self) -> None:
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


def sync_engine(settings: Settings, *, role: str, pool: int = 4) -> sa.Engine:
    """The same for code without an event loop: the GPU worker's threads and migrations."""
    url = settings.require(f"database_{role}_url").get_secret_value()
    address, file = password_file(with_authorities(url))
    engine = sa.create_engine(address, pool_size=pool, max_overflow=2, **_options(settings))
    _sign_in_with(file, engine)
    return engine


def _engine(url: str, settings: Settings) -> AsyncEngine:
    address, file = password_file(with_authorities(url))
    engine = create_async_engine(address, pool_size=settings.database_pool, max_overflow=0, **_options(settings))
    _sign_in_with(file, engine.sync_engine)
    return engine


def _sign_in_with(file: Path | None, engine: sa.Engine) -> None:
    """Reads the password anew for each connection, so that one that rotates needs no restart."""
    if file is None:
        return

    def read(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        parameters["password"] = file.read_text().strip()

    sa.event.listen(engine, "do_connect", read)


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "pool_timeout": POOL_SECONDS,
        "pool_recycle": 1800,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
        "connect_args": {
            "options": f"-csearch_path={settings.schema_name} -ctimezone=UTC",
            "connect_timeout": CONNECT_SECONDS,
            # A server that vanished without a word (failover, cut network) is noticed in seconds, not in minutes.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    }


async def _begin(connection: AsyncConnection, tenant: UUID | None) -> None:
    try:
        await _name_tenant(connection, tenant)
    except DBAPIError as error:
        # A connection from before a restart of the server. Nothing has been done on it, so another takes its place;
        # naming the tenant thus tests the connection without a round trip of its own.
        if not error.connection_invalidated:
            raise
        await connection.rollback()
        await _name_tenant(connection, tenant)


async def _name_tenant(connection: AsyncConnection, tenant: UUID | None) -> None:
    if tenant is not None:
        await connection.execute(SET_TENANT, {"user_id": str(tenant)})


class _mapped:  # noqa: N801 (a context manager that reads as a word)
    """Turns a lost or refused connection into the error that clients may see."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OperationalError, PoolTimeoutError)) or (
            isinstance(error, DBAPIError) and error.connection_invalidated
        ):
            raise DatabaseUnavailableError("The database does not answer at the moment; try again") from error
