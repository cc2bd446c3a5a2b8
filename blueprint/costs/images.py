"""What 1,000 pictures cost on the GPU nodes, with the time in which a node makes none.

A node comes for a session of work, makes its pictures one after the other, and goes:

    node seconds  = cold start + images * seconds an image + scale-down + consolidation      [s a session]
    cost          = node seconds / 3600 * price                                               [$ a session]
    cost of 1,000 = cost / images * 1000  (+ fixed / images a month * 1000)                   [$ / 1,000 images]

`fixed` spreads the rest of the bill over a month's pictures, where that is asked for.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType

from blueprint.costs.prices import spot
from blueprint.pools import GPU, Pool

SECONDS = Decimal(3600)
PUBLISHED = MappingProxyType(
    {
        "SDXL-Turbo, 1.5 s an image, variable part only": Decimal("0.24"),
        "SDXL 1024x1024 on SageMaker": Decimal("4.30"),
    }
)
"""Dollars for 1,000 images as others have published them ($0.00024 and $0.0043 an image); they are not measured here,
and their pictures, steps and machines differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One node's life. All but `consolidation` are assumptions until a cluster has been measured."""

    images: int = 100
    seconds_an_image: Decimal = Decimal(30)
    """SDXL, 1024x1024, 30 steps on a T4: an assumption, not a measurement."""
    cold_start: Decimal = Decimal(180)
    """From a pod without a node to its first step, with cached images; without, others report 7-12 minutes."""
    scale_down: Decimal = Decimal(300)
    """From the last picture to the pod's end: KEDA's default cooldownPeriod."""
    consolidation: Decimal = Decimal(GPU.consolidate_after_seconds)
    """From the pod's end to the node's: Karpenter's consolidateAfter."""

    @property
    def busy(self) -> Decimal:
        """Seconds in which pictures are made."""
        return self.images * self.seconds_an_image

    @property
    def idle(self) -> Decimal:
        """Seconds that are paid for and make nothing."""
        return self.cold_start + self.scale_down + self.consolidation


def per_thousand(
    session: Session,
    region: str,
    *,
    gpu: Pool = GPU,
    fixed: Decimal = Decimal(0),
    images_a_month: int = 0,
) -> Decimal:
    """Dollars for 1,000 images, in cents; `fixed` is dollars a month, spread when `images_a_month` is given.

    Raises:
        ValueError: a session without a picture, or nothing to spread a fixed amount over.

    >>> per_thousand(Session(images=100, cold_start=Decimal(0), scale_down=Decimal(0), consolidation=Decimal(0)),
    ...              "us-east-1")
    Decimal('1.32')
    """
    if session.images < 1:
        raise ValueError("a session makes at least one image")
    if fixed and images_a_month < 1:
        raise ValueError("a fixed amount is spread over at least one image a month")
    cost = (session.busy + session.idle) / SECONDS * spot(gpu.types[0].name, region) / session.images * 1000
    spread = fixed / images_a_month * 1000 if fixed else Decimal(0)
    return (cost + spread).quantize(Decimal("0.01"), ROUND_HALF_UP)
