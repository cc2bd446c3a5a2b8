"""Connections as each role, and two tenants with a row in every table."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.kernel.db import SET_TENANT, sync_engine
from services.kernel.ids import new_id
from services.kernel.settings import Settings
from services.kernel.tables import metadata

Connect = Callable[..., AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class Household:
    """A tenant, and the id of its row in each table."""

    user_id: UUID
    rows: dict[str, object]


@pytest.fixture(scope="session")
def with_backup(settings: Settings, postgres: object, passwords: dict[str, str]) -> Settings:
    """The settings with the fourth role's URL, which no process of ours has, in the reader's place."""
    url = sa.make_url(settings.require("database_url").get_secret_value())
    backup = url.set(username="pingvas_local_backup", password=passwords["backup"])
    return Settings.model_validate(
        {**settings.model_dump(), "database_reader_url": backup.render_as_string(hide_password=False)}
    )


@pytest.fixture(scope="session")
def connect(with_backup: Settings) -> Iterator[Connect]:
    """`connect(role, tenant)`: a transaction that is rolled back at its end."""
    engines: dict[str, sa.Engine] = {}

    def engine(role: str) -> sa.Engine:
        if role not in engines:
            settings = with_backup
            if role in ("app", "backup"):
                name = "database_url" if role == "app" else "database_reader_url"
                settings = settings.model_copy(update={"database_worker_url": getattr(settings, name)})
            engines[role] = sync_engine(settings, role="owner" if role == "owner" else "worker")
        return engines[role]

    @contextmanager
    def connected(role: str, tenant: UUID | None = None) -> Iterator[sa.Connection]:
        with engine(role).connect() as connection:
            if tenant is not None:
                connection.execute(SET_TENANT, {"user_id": str(tenant)})
            yield connection

    yield connected
    for made in engines.values():
        made.dispose()


def row(table: sa.Table, user_id: UUID, others: dict[str, object]) -> dict[str, object]:
    """A row of `table` that belongs to the user; `others` are the ids of the user's rows in other tables."""
    made: dict[str, object] = {}
    for column in table.columns:
        if column.name == "user_id":
            made[column.name] = user_id
        elif column.identity is not None or column.server_default is not None or column.nullable:
            continue
        elif column.foreign_keys:
            (key,) = column.foreign_keys
            made[column.name] = others[key.column.table.name]
        elif isinstance(column.type, sa.dialects.postgresql.UUID):
            made[column.name] = user_id if table.name == "users" else new_id()
        else:
            made[column.name] = _value(column)
    return made


def _value(column: sa.Column[object]) -> object:
    named = {"direction": "in", "status": "canceled", "kind": "grant"}
    if column.name in named:
        return named[column.name]
    if isinstance(column.type, sa.dialects.postgresql.JSONB):
        return {}
    if isinstance(column.type, sa.dialects.postgresql.ARRAY):
        return []
    if isinstance(column.type, sa.LargeBinary) or column.type.python_type is bytes:
        return new_id().bytes
    return 1 if column.type.python_type in (int, float) else str(new_id())


@pytest.fixture(scope="session")
def households(connect: Connect) -> Iterator[tuple[Household, Household]]:
    """Two tenants, committed; taken away at the end."""
    made = []
    with connect("worker") as connection:
        for _ in range(2):
            user_id = new_id()
            ids: dict[str, object] = {}
            for table in metadata.sorted_tables:
                statement = table.insert().values(row(table, user_id, ids)).returning(table.c.id)
                ids[table.name] = connection.execute(statement).scalar_one()
            made.append(Household(user_id, ids))
        connection.commit()
    yield made[0], made[1]
    with connect("worker") as connection:
        connection.execute(sa.text("DELETE FROM users WHERE id = ANY(:ids)"), {"ids": [one.user_id for one in made]})
        connection.commit()
