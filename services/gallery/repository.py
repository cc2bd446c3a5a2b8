"""All SQL of the gallery service."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from services.kernel.db import ReadSession, Row, WriteSession

PAGE = sa.text("""
    SELECT * FROM images
    WHERE user_id = :user_id AND deleted_at IS NULL AND id < :before
        AND (CAST(:generation_id AS uuid) IS NULL OR generation_id = :generation_id)
    ORDER BY id DESC LIMIT :limit
""")
ONE = sa.text("SELECT * FROM images WHERE id = :id AND user_id = :user_id AND deleted_at IS NULL")
DELETE = sa.text("""
    UPDATE images SET deleted_at = now() WHERE id = :id AND user_id = :user_id AND deleted_at IS NULL
""")

UNREAPED = sa.text("""
    SELECT id FROM generations
    WHERE finished_at < now() - :after * interval '1 second' AND reaped_at IS NULL
    ORDER BY finished_at LIMIT :limit
""")
KEPT_OBJECTS = sa.text("SELECT object_key, thumbnail_key FROM images WHERE generation_id = :id")
REAPED = sa.text("UPDATE generations SET reaped_at = now() WHERE id = ANY(:ids)")
DELETED = sa.text("""
    SELECT id, object_key, thumbnail_key FROM images WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT :limit
""")
FORGET = sa.text("DELETE FROM images WHERE id = ANY(:ids) AND deleted_at IS NOT NULL")


async def page(
    session: ReadSession, user_id: UUID, generation_id: UUID | None, cut: dict[str, object]
) -> Sequence[Row]:
    return await session.all(PAGE, {"user_id": user_id, "generation_id": generation_id, **cut})


async def one(session: ReadSession, user_id: UUID, image_id: UUID) -> Row | None:
    return await session.first(ONE, {"user_id": user_id, "id": image_id})


async def delete(session: WriteSession, user_id: UUID, image_id: UUID) -> bool:
    return await session.execute(DELETE, {"user_id": user_id, "id": image_id}) == 1
