"""The monthly estimate: the document's table, what it comes to recomputed, and what it leaves out.

`estimate()` is the whole of it; `python -m blueprint.cost [REGION]` prints it as JSON, which is also how another
revision of the blueprint is asked for its own.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from blueprint.costs.document import DOCUMENT, DocumentRow
from blueprint.costs.images import PUBLISHED, Session, per_thousand
from blueprint.costs.line import Line
from blueprint.costs.lines import lines
from blueprint.costs.platform import PLATFORM, Platform
from blueprint.costs.prices import CURRENCY, DATED, HOURS
from blueprint.costs.usage import USAGE, Usage
from blueprint.regions import DEFAULT_REGION

SCHEMA = 1
"""Of `as_json`; a key that changes its meaning or goes away raises it."""
SESSIONS = (1, 10, 100, 1000)
"""Images of one node's session for which the cost of 1,000 is told."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of the document beside the lines that mean the same."""

    row: DocumentRow
    lines: tuple[Line, ...]

    @property
    def amount(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def difference(self) -> Decimal:
        return self.amount - self.row.amount

    @property
    def why(self) -> str:
        """The document's own reasons and ours, as far as amounts differ."""
        own = self.row.why if self.row.at_its_price != self.row.amount else ""
        ours = next((line.why for line in self.lines if line.why), "") if self.difference else ""
        return "; ".join(one for one in (own, ours) if one)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A month in one region. Dollars."""

    region: str
    lines: tuple[Line, ...]
    images: Mapping[int, Decimal]
    """Images of a session, and what 1,000 then cost on GPU nodes."""

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return tuple(
            Comparison(row, tuple(line for line in self.lines if line.document == key)) for key, row in DOCUMENT.items()
        )

    @property
    def forgotten(self) -> tuple[Line, ...]:
        """What the document's table does not have."""
        return tuple(line for line in self.lines if line.document is None)

    @property
    def documented(self) -> Decimal:
        """The document's total, the sum of its rows."""
        return sum((row.amount for row in DOCUMENT.values()), Decimal(0))

    @property
    def recomputed(self) -> Decimal:
        """The document's rows by its own counts and prices, at 730 hours."""
        return sum((row.at_its_price for row in DOCUMENT.values()), Decimal(0))

    @property
    def covered(self) -> Decimal:
        """The document's rows as the platform has them, at list prices."""
        return sum((line.amount for line in self.lines if line.document), Decimal(0))

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def stacks(self) -> dict[str, Decimal]:
        """Dollars by stack, the dearest first."""
        found: dict[str, Decimal] = {}
        for line in self.lines:
            found[line.stack] = found.get(line.stack, Decimal(0)) + line.amount
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def as_json(self) -> dict[str, Any]:
        """The estimate as data, amounts as decimal strings; `SCHEMA` counts changes of its shape."""
        return {
            "schema": SCHEMA,
            "region": self.region,
            "currency": CURRENCY,
            "prices_dated": DATED.isoformat(),
            "hours": HOURS,
            "totals": {
                "document": str(self.documented),
                "document_recomputed": str(self.recomputed),
                "in_document": str(self.covered),
                "not_in_document": str(self.total - self.covered),
                "total": str(self.total),
            },
            "stacks": {stack: str(amount) for stack, amount in self.stacks.items()},
            "document": [
                {
                    "key": one.row.key,
                    "service": one.row.service,
                    "document": str(one.row.amount),
                    "recomputed": str(one.row.at_its_price),
                    "amount": str(one.amount),
                    "difference": str(one.difference),
                    "why": one.why,
                }
                for one in self.comparisons
            ],
            "lines": [_line(line) for line in self.lines],
            "images": {
                "per_thousand": {str(count): str(amount) for count, amount in self.images.items()},
                "published_by_others": {name: str(amount) for name, amount in PUBLISHED.items()},
            },
        }


def _line(line: Line) -> dict[str, Any]:
    return {
        "key": line.key,
        "service": line.service,
        "stack": line.stack,
        "what": line.what,
        "quantity": f"{line.quantity:f}",
        "unit": line.unit,
        "unit_price": f"{line.unit_price.normalize():f}",
        "amount": str(line.amount),
        "document": line.document,
        "counted": line.counted,
    }


def estimate(
    *,
    region: str = DEFAULT_REGION,
    platform: Platform = PLATFORM,
    usage: Usage = USAGE,
    session: Session | None = None,
) -> Estimate:
    """What a month costs.

    Raises:
        KeyError: the price file lacks something in that region.

    >>> estimate().documented
    Decimal('1249.37')
    """
    one = session or Session(consolidation=Decimal(platform.gpu.consolidate_after_seconds))
    images = {count: per_thousand(replace(one, images=count), region, gpu=platform.gpu) for count in SESSIONS}
    return Estimate(region, lines(platform, usage, region), images)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(estimate(region=(sys.argv[1:] or [DEFAULT_REGION])[0]).as_json(), indent=2) + "\n")
