"""All SQL of the model service."""

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from services.kernel.db import ReadSession, Row, WriteSession

CATALOGUE_LOCK = 0x6361746C
"""Advisory lock of whoever writes the catalogue; the other replicas skip their turn."""
COLUMNS = "name, kind, base, path, title, description, licence, available, defaults"
NEW = COLUMNS.replace(", ", ", new.")
EXCLUDED = COLUMNS.replace(", ", ", excluded.")
OLD = COLUMNS.replace(", ", ", models.")

TRY_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(:lock)").bindparams(lock=CATALOGUE_LOCK)
PUT = sa.text(f"""
    INSERT INTO models (id, {COLUMNS})
    SELECT new.id, new.{NEW} FROM jsonb_to_recordset(CAST(:entries AS jsonb)) AS new (id uuid, name text, kind text,
        base text, path text, title text, description text, licence text, available boolean, defaults jsonb)
    ON CONFLICT (name) WHERE user_id IS NULL
    DO UPDATE SET ({COLUMNS}, updated_at) = ROW(excluded.{EXCLUDED}, now())
    WHERE (models.{OLD}) IS DISTINCT FROM (excluded.{EXCLUDED})
""")  # noqa: S608
"""Writes what is new or has changed, and touches nothing else."""
RETIRE = sa.text("""
    UPDATE models SET available = false, defaults = defaults || jsonb_build_object('reason', CAST(:reason AS text)),
        updated_at = now()
    WHERE user_id IS NULL AND name <> ALL(CAST(:names AS text[]))
        AND (available OR defaults->>'reason' IS DISTINCT FROM :reason)
""")
"""A model that is gone keeps its row: pictures made with it name it."""
SHOWN = "name, kind, base, title, description, licence, minimum_plan, available, defaults"
ALL = sa.text(f"SELECT {SHOWN} FROM models WHERE user_id IS NULL ORDER BY available DESC, title, name")  # noqa: S608
ONE = sa.text(f"SELECT {SHOWN} FROM models WHERE user_id IS NULL AND name = :name")  # noqa: S608


async def try_lock(session: WriteSession) -> bool:
    """Whether the catalogue is this transaction's to write."""
    return bool(await session.scalar(TRY_LOCK))


async def put(session: WriteSession, entries: list[dict[str, Any]]) -> int:
    """Writes shared models; returns how many were new or had changed."""
    return await session.execute(PUT, {"entries": orjson.dumps(entries).decode()})


async def retire(session: WriteSession, names: list[str], reason: str) -> int:
    """Marks every shared model but `names` as not available; returns how many were."""
    return await session.execute(RETIRE, {"names": names, "reason": reason})


async def models(session: ReadSession) -> Sequence[Row]:
    """The shared models, those that can be used first."""
    return await session.all(ALL)


async def model(session: ReadSession, name: str) -> Row | None:
    return await session.first(ONE, {"name": name})
