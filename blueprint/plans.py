"""Plans: what a subscription costs, grants and allows. Prices in US cents a month, sizes in pixels."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan and its limits.

    `priority` is the Celery priority of its jobs, 0 the first to be served, and the weight of the fairness rule
    (`blueprint.jobs`). `max_active` counts queued and running jobs together.
    """

    name: str
    title: str
    price_cents: int
    monthly_credits: int
    max_images: int
    max_side: int
    max_pixels: int
    max_steps: int
    max_active: int
    priority: int


MEGAPIXEL = 1024 * 1024

_ALL = (
    Plan(
        "free",
        "Free",
        price_cents=0,
        monthly_credits=50,
        max_images=1,
        max_side=1024,
        max_pixels=MEGAPIXEL,
        max_steps=30,
        max_active=5,
        priority=9,
    ),
    Plan(
        "creator",
        "Creator",
        price_cents=1200,
        monthly_credits=2_000,
        max_images=4,
        max_side=1536,
        max_pixels=3 * MEGAPIXEL // 2,
        max_steps=60,
        max_active=40,
        priority=6,
    ),
    Plan(
        "pro",
        "Pro",
        price_cents=3500,
        monthly_credits=8_000,
        max_images=8,
        max_side=2048,
        max_pixels=4 * MEGAPIXEL,
        max_steps=100,
        max_active=200,
        priority=3,
    ),
)
PLANS: MappingProxyType[str, Plan] = MappingProxyType({plan.name: plan for plan in _ALL})
DEFAULT_PLAN = "free"
LOCAL_PLAN = "pro"
"""What the development sign-in grants, so that nobody runs out of credits on a laptop by trying things."""
PRIORITIES = tuple(sorted({plan.priority for plan in _ALL}))
"""Celery priority steps, a Redis list each."""
