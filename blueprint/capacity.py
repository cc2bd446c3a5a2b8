"""The capacity proof: every pod on every node type of its pool, all maxima against what is given. Synthesis asks it.

`./pingvas capacity` prints it; `docs/kubernetes/capacity.md` says how each number is computed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blueprint import limits
from blueprint.allocatable import Amount, daemons, room
from blueprint.components import Place
from blueprint.instances import InstanceType
from blueprint.limits import Check, Nodes
from blueprint.loads import PLAN, Load, Plan, loads
from blueprint.packing import least, pack
from blueprint.rules import RuleError

UNITS = {"cpu": "m", "memory": " MiB", "pods": " pods", "gpu": " GPU"}


@dataclass(frozen=True, slots=True)
class Fit:
    """One pod of a load on an empty node of one type. `lacks` names what the node has too little of."""

    load: Load
    type: InstanceType
    room: Amount

    @property
    def lacks(self) -> tuple[str, ...]:
        return self.room.lacks(self.load.asks)

    @property
    def share(self) -> float:
        """The part of the node that one pod takes, of what is scarcest for it."""
        fields = ("cpu", "memory", "gpu")
        asks, room = self.load.asks, self.room
        return max(float(getattr(asks, one) / getattr(room, one)) for one in fields if getattr(room, one))

    def error(self) -> RuleError:
        field = self.lacks[0]
        setting, value = self.load.setting(field)
        wants, has = getattr(self.load.asks, field), getattr(self.room, field)
        daemon = len(daemons(self.load.place))
        rule = (
            f"a pod of {self.load.namespace}/{self.load.name} asks for {wants}{UNITS[field]}, and {self.type.name} "
            f"leaves {has}{UNITS[field]} beside its {daemon} DaemonSets"
        )
        return RuleError(setting, value, rule)


@dataclass(frozen=True, slots=True)
class Proof:
    """All of it. `failures` are the sentences of what does not hold, in the order in which they were found."""

    plan: Plan
    fits: tuple[Fit, ...]
    nodes: tuple[Nodes, ...]
    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[RuleError, ...]:
        lacking = {(one.load.name, one.type.name): one for one in reversed(self.fits) if one.lacks}
        return (
            *(one.error() for one in reversed(lacking.values())),
            *(RuleError(one.setting, one.value, one.rule) for one in self.checks if one.ok is False),
        )


def prove(plan: Plan = PLAN) -> Proof:
    """Computes the proof, whether it holds or not. Where a pod does not fit, nodes cannot be counted, and are not."""
    every = loads(plan)
    fits = tuple(_fits(plan, every))
    packed: tuple[Nodes, ...] = ()
    checks = [*limits.quotas(plan), *limits.addresses(plan, every), limits.connections(plan), *limits.account(plan)]
    if not any(one.lacks for one in fits):
        packed = tuple(_nodes(plan, every))
        checks = [*limits.system(plan, packed), *limits.pools(plan, packed), *checks]
    return Proof(plan, fits, packed, tuple(checks))


def check(plan: Plan = PLAN) -> None:
    """Refuses a blueprint whose pods do not fit.

    Raises:
        RuleError: the first that does not hold; its one line names the number.
    """
    for failure in prove(plan).failures:
        raise failure


def _fits(plan: Plan, every: Iterable[Load]) -> Iterable[Fit]:
    for load in every:
        for one in plan.types(load.place):
            yield Fit(load, one, room(one, load.place, plan.components))


def _nodes(plan: Plan, every: Sequence[Load]) -> Iterable[Nodes]:
    places: tuple[tuple[Place, str], ...] = (
        ("system", "system"),
        ("general", plan.general.name),
        ("gpu", plan.gpu.name),
    )
    for place, pool in places:
        pods = [load.asks for load in every if load.place == place for _ in range(load.count)]
        daemon = len(daemons(place, plan.components))
        for one in plan.types(place):
            if place == "gpu":
                count, most = plan.gpu.gpu // one.gpu, one.gpu // plan.worker.gpu
            else:
                way = least if place == "system" else pack
                packed = way(pods, room(one, place, plan.components))
                count, most = len(packed), max(map(len, packed))
            yield Nodes(place, pool, one, count, most + daemon)
