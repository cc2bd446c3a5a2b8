"""What is drawn, without a place yet: cards in rows, and links between cards."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["edge", "network", "compute", "data", "security", "watch"]


@dataclass(frozen=True, slots=True)
class Card:
    """A box with a title and lines of text. `key` names it for links."""

    key: str
    title: str
    lines: tuple[str, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow from one card to another, with what flows."""

    source: str
    target: str
    label: str


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier of subnets: its name, a line a subnet, and what stands in it."""

    name: str
    subnets: tuple[str, ...]
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything the drawing shows."""

    title: str
    subtitle: str
    region: str
    vpc: str
    edge: tuple[Card, ...]
    tiers: tuple[Tier, ...]
    aside: tuple[Card, ...]
    watch: tuple[Card, ...]
    stacks: tuple[Card, ...]
    links: tuple[Link, ...] = field(default=())

    @property
    def cards(self) -> tuple[Card, ...]:
        tiers = tuple(card for tier in self.tiers for card in tier.cards)
        return (*self.edge, *tiers, *self.aside, *self.watch, *self.stacks)
