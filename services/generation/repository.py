"""All SQL of the generation service; the protocol's own statements are in `services.kernel.jobs`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from services.kernel import jobs
from services.kernel.db import ReadSession, Row, WriteSession
from services.kernel.events import image

ONE = sa.text("SELECT * FROM generations WHERE id = :id AND user_id = :user_id")
BY_KEY = sa.text("SELECT * FROM generations WHERE user_id = :user_id AND idempotency_key = :key")
PAGE = sa.text("""
    SELECT * FROM generations
    WHERE user_id = :user_id AND id < :before AND (CAST(:status AS text) IS NULL OR status = :status)
    ORDER BY id DESC LIMIT :limit
""")
IMAGES = sa.text("""
    SELECT id, generation_id, position, seed, width, height FROM images
    WHERE generation_id = ANY(:ids) AND user_id = :user_id AND deleted_at IS NULL ORDER BY generation_id, position
""")


async def account(session: WriteSession, user_id: UUID, model: str) -> Row | None:
    """The user's row, locked, and the model asked for."""
    return await session.first(jobs.ACCOUNT, {"user_id": user_id, "model": model})


async def create(session: WriteSession, values: dict[str, Any]) -> Row | None:
    """Row, hold and outbox mark in one statement; None where too many are active."""
    stored = {**values, "request": orjson.dumps(values["request"]).decode()}
    stored["warnings"] = orjson.dumps(values["warnings"]).decode()
    return await session.first(jobs.CREATE, stored)


async def by_key(session: ReadSession, user_id: UUID, key: str) -> Row | None:
    return await session.first(BY_KEY, {"user_id": user_id, "key": key})


async def one(session: ReadSession, user_id: UUID, generation_id: UUID) -> Row | None:
    return await session.first(ONE, {"user_id": user_id, "id": generation_id})


async def page(session: ReadSession, user_id: UUID, status: str | None, cut: dict[str, object]) -> Sequence[Row]:
    return await session.all(PAGE, {"user_id": user_id, "status": status, **cut})


async def images(session: ReadSession, user_id: UUID, ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """The images of several generations, in the form that clients see."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    if ids:
        for row in await session.all(IMAGES, {"ids": ids, "user_id": user_id}):
            found.setdefault(row["generation_id"], []).append(image(row))
    return found


async def cancel_queued(session: WriteSession, user_id: UUID, generation_id: UUID) -> Row | None:
    return await session.first(jobs.CANCEL_QUEUED, {"id": generation_id, "user_id": user_id})


async def request_cancel(session: WriteSession, user_id: UUID, generation_id: UUID) -> bool:
    row = await session.first(jobs.REQUEST_CANCEL, {"id": generation_id, "user_id": user_id})
    return row is not None
