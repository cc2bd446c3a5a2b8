"""The rules of plans and credits."""

from collections.abc import Sequence
from uuid import UUID

from blueprint.plans import PLANS
from services.kernel.db import ReadSession, Row
from services.payment import repository
from services.payment.errors import AccountGoneError
from services.payment.schemas import Plan, PlanLimits


def plans() -> list[Plan]:
    """The plans on offer, the cheapest first."""
    return [
        Plan(
            name=plan.name,
            title=plan.title,
            price_cents=plan.price_cents,
            monthly_credits=plan.monthly_credits,
            limits=PlanLimits(**{name: getattr(plan, name) for name in PlanLimits.model_fields}),
        )
        for plan in sorted(PLANS.values(), key=lambda plan: plan.price_cents)
    ]


async def account(session: ReadSession, user_id: UUID) -> Row:
    """A user's plan and credits.

    Raises:
        AccountGoneError: the token outlived its account.
    """
    row = await repository.account(session, user_id)
    if row is None:
        raise AccountGoneError
    return row


async def verify(session: ReadSession, user_id: UUID | None = None) -> Sequence[Row]:
    """The users whose balance or hold differs from the sums of their ledger entries; right is an empty answer.

    In the role `worker` and without `user_id` it asks about everybody, in the role `app` about the tenant alone.
    """
    return await repository.discrepancies(session, user_id)
