"""All SQL of the payment service; the ledger's own statements are in `services.kernel.ledger`."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from services.kernel.db import ReadSession, Row
from services.kernel.ledger import AUDIT

ACCOUNT = sa.text("SELECT plan, balance, held, balance - held AS available FROM users WHERE id = :user_id")
ENTRIES = sa.text("""
    SELECT id, kind, amount, held, business_key, generation_id, created_at FROM credit_entries
    WHERE user_id = :user_id AND id < :before ORDER BY id DESC LIMIT :limit
""")


async def account(session: ReadSession, user_id: UUID) -> Row | None:
    return await session.first(ACCOUNT, {"user_id": user_id})


async def entries(session: ReadSession, user_id: UUID, cut: dict[str, object]) -> Sequence[Row]:
    return await session.all(ENTRIES, {"user_id": user_id, **cut})


async def discrepancies(session: ReadSession, user_id: UUID | None) -> Sequence[Row]:
    return await session.all(AUDIT, {"user_id": user_id})
