"""HTTP of the payment service."""

from fastapi import APIRouter, Depends

from services.kernel.http.auth import Me, scope
from services.kernel.http.paging import Page, Paging
from services.kernel.http.sessions import FreshReader, Reader, TransactionRoute
from services.payment import repository, service
from services.payment.schemas import Credits, Entry, Plans

router = APIRouter(prefix="/api/v1", route_class=TransactionRoute)
CREDITS = [Depends(scope("credits"))]


@router.get("/plans", tags=["plans"])
async def plans() -> Plans:
    """The plans on offer, what they cost and what they allow."""
    return Plans(items=service.plans())


@router.get("/credits", tags=["credits"], dependencies=CREDITS)
async def credits_now(session: FreshReader, me: Me) -> Credits:
    """Your plan and your credits."""
    return Credits(**await service.account(session, me.user_id))


@router.get("/credits/entries", tags=["credits"], dependencies=CREDITS)
async def entries(session: Reader, me: Me, cut: Paging) -> Page[Entry]:
    """Your ledger, newest first: every grant, hold, charge and release."""
    rows = await repository.entries(session, me.user_id, cut.numbers)
    return cut.page(rows, lambda row: int(row["id"]), lambda row: Entry(**row))
