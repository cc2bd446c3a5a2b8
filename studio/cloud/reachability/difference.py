"""What the analysers found against what `blueprint.reach` allows, and against each other, pair by pair."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from blueprint.reach import PLACES, Allowed
from studio.cloud.reachability.matrix import Matrix, Reach
from studio.cloud.reachability.ports import NONE, Ports

Plan = Mapping[tuple[str, str], Ports]


@dataclass(frozen=True, slots=True)
class Difference:
    """One pair that is not as it should be. `analyser` is who says so."""

    source: str
    target: str
    analyser: str
    problem: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}: {self.problem} ({self.analyser})"


def plan(rows: Iterable[Allowed], pods: Iterable[str]) -> Plan:
    """The allowed ports of every pair that there is, patterns spelled out."""
    names = (*pods, *PLACES)
    made: dict[tuple[str, str], Ports] = {}
    for row in rows:
        ports = Ports.of(*row.ports)
        targets = _matching(row.targets, names)
        for source in _matching(row.sources, names):
            for target in targets:
                if source != target and not (source in PLACES and target in PLACES):
                    made[source, target] = made.get((source, target), NONE) | ports
    return made


def unmatched(rows: Iterable[Allowed], pods: Iterable[str]) -> list[str]:
    """Names of the list that nobody has: an app that was renamed or is no longer there."""
    names = (*pods, *PLACES)
    return sorted({one for row in rows for one in (*row.sources, *row.targets) if not _matching((one,), names)})


def differences(found: Matrix, wanted: Plan, analyser: str) -> Iterator[Difference]:
    """Pairs that are more open than allowed for some address, or less open for another."""
    for pair in sorted({*found, *wanted}):
        reach = found.get(pair, Reach(NONE, NONE))
        ports = wanted.get(pair, NONE)
        if more := reach.some - ports:
            yield Difference(*pair, analyser, f"open on {more}, allowed {ports or 'nothing'}")
        if less := ports - reach.every:
            yield Difference(*pair, analyser, f"closed on {less}, which is allowed")


def disagreements(one: Matrix, other: Matrix, names: tuple[str, str]) -> Iterator[Difference]:
    """Pairs of which two analysers say different things."""
    nothing = Reach(NONE, NONE)
    for pair in sorted({*one, *other}):
        first, second = one.get(pair, nothing), other.get(pair, nothing)
        if first != second:
            yield Difference(*pair, "both analysers", f"{names[0]} says {first}, {names[1]} says {second}")


def _matching(patterns: Iterable[str], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, one) for one in patterns)]
