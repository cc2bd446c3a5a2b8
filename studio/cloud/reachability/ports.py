"""Sets of ports: what a connection may be, by protocol and destination port."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

PROTOCOLS = ("tcp", "udp", "sctp")
"""What a NetworkPolicy knows; of others, such as ICMP, it says nothing."""
FIRST, LAST = 1, 65535
_TEXT = re.compile(r"(tcp|udp|sctp)/(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Ports:
    """An immutable set; ranges are sorted and do not touch, so equal sets are equal values.

    >>> str(Ports.of("tcp/80", "tcp/81-90", "udp/53")), str(Ports.of("any") & Ports.of("tcp/443")), bool(NONE)
    ('tcp/80-90, udp/53', 'tcp/443', False)
    """

    ranges: tuple[tuple[str, int, int], ...] = ()

    @classmethod
    def of(cls, *texts: str) -> "Ports":
        """From texts such as `tcp/443`, `udp/1000-2000` and `any`.

        Raises:
            ValueError: a text is none of these.
        """
        ranges: list[tuple[str, int, int]] = []
        for text in texts:
            if text == "any":
                return ANY
            found = _TEXT.fullmatch(text)
            if not found:
                raise ValueError(f"{text!r} names no ports")
            protocol, first, last = found.groups()
            ranges.append((protocol, int(first), int(last or first)))
        return cls(_merged(ranges))

    @classmethod
    def union(cls, many: Iterable["Ports"]) -> "Ports":
        return cls(_merged(one for each in many for one in each.ranges))

    def __or__(self, other: "Ports") -> "Ports":
        return Ports(_merged((*self.ranges, *other.ranges)))

    def __and__(self, other: "Ports") -> "Ports":
        return Ports(
            _merged(
                (protocol, max(first, low), min(last, high))
                for protocol, first, last in self.ranges
                for same, low, high in other.ranges
                if same == protocol and max(first, low) <= min(last, high)
            )
        )

    def __sub__(self, other: "Ports") -> "Ports":
        left = list(self.ranges)
        for taken, low, high in other.ranges:
            left = [
                part
                for protocol, first, last in left
                for part in (
                    [(protocol, first, last)]
                    if protocol != taken or high < first or low > last
                    else [(protocol, first, low - 1), (protocol, high + 1, last)]
                )
                if part[1] <= part[2]
            ]
        return Ports(_merged(left))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __str__(self) -> str:
        if self == ANY:
            return "any"
        order = {protocol: index for index, protocol in enumerate(PROTOCOLS)}
        ranges = sorted(self.ranges, key=lambda one: (order[one[0]], one[1]))
        return (
            ", ".join(f"{name}/{first}" + (f"-{last}" if last > first else "") for name, first, last in ranges) or "-"
        )


def _merged(ranges: Iterable[tuple[str, int, int]]) -> tuple[tuple[str, int, int], ...]:
    merged: list[tuple[str, int, int]] = []
    for protocol, first, last in sorted(ranges):
        if merged and merged[-1][0] == protocol and first <= merged[-1][2] + 1:
            merged[-1] = (protocol, merged[-1][1], max(merged[-1][2], last))
        else:
            merged.append((protocol, first, last))
    return tuple(merged)


NONE = Ports()
ANY = Ports(_merged((protocol, FIRST, LAST) for protocol in PROTOCOLS))
