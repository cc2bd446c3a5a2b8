"""All SQL of the user service."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.kernel.db import ReadSession, Row, WriteSession
from services.kernel.ledger import GRANT

LOCK_IDENTITY = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:provider || ':' || :subject, 0))")
IDENTITY_USER = sa.text("SELECT identity_user(:provider, :subject)")
ADD_USER = sa.text("""
    INSERT INTO users (id, email, display_name, plan) VALUES (:id, :email, :display_name, :plan)
""")
ADD_IDENTITY = sa.text("""
    INSERT INTO oauth_identities (id, user_id, provider, subject, email)
    VALUES (:id, :user_id, :provider, :subject, :email)
""")
USER = sa.text("""
    SELECT id, email, display_name, plan, created_at, to_char(now(), 'YYYY-MM') AS month FROM users WHERE id = :id
""")
LOCK_USER = sa.text("SELECT id FROM users WHERE id = :id FOR NO KEY UPDATE")
RENAME = sa.text("UPDATE users SET display_name = :display_name, updated_at = now() WHERE id = :id")

KEY = "id, name, prefix, scopes, created_at, last_used_at, expires_at"
KEYS = sa.text(f"SELECT {KEY} FROM api_keys WHERE user_id = :user_id AND revoked_at IS NULL ORDER BY id DESC")  # noqa: S608
COUNT_KEYS = sa.text("""
    SELECT count(*) FROM api_keys
    WHERE user_id = :user_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
""")
ADD_KEY = sa.text(f"""
    INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes, expires_at)
    VALUES (:id, :user_id, :name, :prefix, :key_hash, :scopes, now() + CAST(:days AS integer) * interval '1 day')
    RETURNING {KEY}
""")  # noqa: S608
REVOKE_KEY = sa.text("""
    UPDATE api_keys SET revoked_at = now() WHERE id = :id AND user_id = :user_id AND revoked_at IS NULL
""")


async def find_identity(session: WriteSession, provider: str, subject: str) -> UUID | None:
    """Whose identity this is. Until the transaction ends nobody else learns it or adds it."""
    identity = {"provider": provider, "subject": subject}
    await session.scalar(LOCK_IDENTITY, identity)
    found: UUID | None = await session.scalar(IDENTITY_USER, identity)
    return found


async def add_user(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(ADD_USER, values)


async def add_identity(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(ADD_IDENTITY, values)


async def user(session: ReadSession, user_id: UUID) -> Row | None:
    """The user, and the month it is in the database."""
    return await session.first(USER, {"id": user_id})


async def rename(session: WriteSession, user_id: UUID, display_name: str) -> None:
    await session.execute(RENAME, {"id": user_id, "display_name": display_name})


async def grant(session: WriteSession, user_id: UUID, amount: int, business_key: str) -> None:
    """Credits the user once a business key."""
    await session.execute(GRANT, {"user_id": user_id, "amount": amount, "business_key": business_key})


async def api_keys(session: ReadSession, user_id: UUID) -> Sequence[Row]:
    """The keys that are not revoked, newest first."""
    return await session.all(KEYS, {"user_id": user_id})


async def count_live_keys(session: WriteSession, user_id: UUID) -> int:
    """How many keys work. Until the transaction ends nobody adds another for this user."""
    await session.scalar(LOCK_USER, {"id": user_id})
    return int(await session.scalar(COUNT_KEYS, {"user_id": user_id}))


async def add_api_key(session: WriteSession, values: dict[str, Any]) -> Row | None:
    return await session.first(ADD_KEY, values)


async def revoke_api_key(session: WriteSession, user_id: UUID, key_id: UUID) -> bool:
    return await session.execute(REVOKE_KEY, {"id": key_id, "user_id": user_id}) == 1
