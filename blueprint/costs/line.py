"""One line of a month's bill: a quantity of the platform, or of its use, by a price."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from blueprint.costs.platform import Platform
from blueprint.costs.prices import HOURS, PRICES, usd
from blueprint.costs.usage import Usage

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`quantity` of `unit` by `unit_price` dollars. `stack` makes the resource.

    `document` is the key of the document's row that means the same thing, None where it has none; `counted` says that
    the quantity follows from the blueprint alone, and is no assumption about use.
    """

    key: str
    service: str
    stack: str
    what: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    document: str | None = None
    counted: bool = True
    why: str = ""

    @property
    def amount(self) -> Decimal:
        """Dollars a month, in whole cents: columns of rounded numbers add up."""
        return (self.quantity * self.unit_price).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes lines of one platform, its use and a region's prices."""

    platform: Platform
    usage: Usage
    region: str

    def line(
        self,
        key: str,
        service: str,
        stack: str,
        what: str,
        quantity: Decimal | int,
        *,
        price: str,
        hours: bool = False,
        unit_price: Decimal | None = None,
        document: str | None = None,
        counted: bool = True,
        why: str = "",
    ) -> Line:
        return Line(
            key=key,
            service=service,
            stack=stack,
            what=what,
            quantity=Decimal(quantity) * (HOURS if hours else 1),
            unit=PRICES[price].unit,
            unit_price=usd(price, self.region) if unit_price is None else unit_price,
            document=document,
            counted=counted,
            why=why,
        )
