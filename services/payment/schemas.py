"""What comes out of the payment service. Prices are US cents a month, sizes pixels, the rest credits."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel


class PlanLimits(BaseModel):
    """What one request may ask, and how many may wait or run at once."""

    max_images: int
    max_side: int
    max_pixels: int
    max_steps: int
    max_active: int


class Plan(BaseModel):
    name: str
    title: str
    price_cents: int
    monthly_credits: int
    limits: PlanLimits


class Plans(BaseModel):
    items: list[Plan]


class Credits(BaseModel):
    """`available` is what the balance has beyond what waiting and running generations hold."""

    plan: str
    balance: int
    held: int
    available: int


class Entry(BaseModel):
    """One line of the ledger: `amount` changed the balance, `held` what is set aside of it."""

    id: int
    kind: Literal["grant", "hold", "charge", "release", "refund", "expiry"]
    amount: int
    held: int
    business_key: str
    generation_id: UUID | None
    created_at: datetime
