"""The matrix in few lines: pods of one namespace that reach, and are reached by, the same others stand together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.reach import CLOSED, PLACES
from blueprint.services import SERVICES
from studio.cloud.reachability.matrix import Matrix, Reach
from studio.cloud.reachability.ports import NONE

TITLES: Mapping[str, str] = {
    "internet": "internet",
    "public-subnets": "load balancer",
    "private-subnets": "nodes and control plane",
    "data-subnets": "data subnets",
    "api-server": "Kubernetes API",
    "service-addresses": "other Services",
    "pod-identity-agent": "Pod Identity agent",
    "instance-metadata": "instance metadata",
    "other-private": "other private ranges",
}
"""What stands at the addresses of `PLACES`."""
UNRULED = "kube-system"
"""The namespace without policies: it stands last."""
_SERVICES = {one.title: index for index, one in enumerate(SERVICES.values())}
_ORDER = (*(one.namespace for one in CLUSTER_ENVIRONMENTS), *CLOSED, UNRULED)


@dataclass(frozen=True, slots=True)
class Line:
    """A row or column. `group` is its namespace, `outside` for places."""

    title: str
    group: str
    members: tuple[str, ...]

    @property
    def label(self) -> str:
        alone = self.group in ("outside", self.title) or self.title.startswith("rest of")
        return self.title if alone else f"{self.group}/{self.title}"


def lines(found: Matrix, pods: Iterable[str]) -> list[Line]:
    """The pods' lines, by namespace; within it services by their ports, then by name."""
    together: dict[tuple[str, object], list[str]] = {}
    for pod in sorted(pods):
        namespace = pod.partition("/")[0]
        signature = frozenset(
            (source == pod, other, reach)
            for (source, target), reach in found.items()
            if pod in (source, target)
            for other in (target if source == pod else source,)
            if other.partition("/")[0] != namespace
        )
        together.setdefault((namespace, signature), []).append(pod)
    made = [_line(namespace, members, together) for (namespace, _), members in together.items()]
    return sorted(made, key=lambda one: (_place(one.group), _SERVICES.get(one.title, len(_SERVICES)), one.title))


def places(*, sending: bool, found: Matrix) -> list[Line]:
    """Lines of the places outside; senders only where somebody beyond the namespace without policies hears them."""
    ruled = {pair[0] for pair in found if not pair[1].startswith(f"{UNRULED}/")}
    return [Line(TITLES[one], "outside", (one,)) for one in PLACES if not sending or one in ruled]


def between(found: Matrix, source: Line, target: Line) -> Reach:
    """What one line may open to another: the members are alike, so any pair of them tells."""
    nothing = Reach(NONE, NONE)
    return next((found.get((a, b), nothing) for a in source.members for b in target.members if a != b), nothing)


def _line(namespace: str, members: list[str], together: Mapping[tuple[str, object], list[str]]) -> Line:
    apps = [one.partition("/")[2] for one in members]
    if len(members) == 1:
        title = apps[0]
    elif sum(name == namespace for name, _ in together) == 1:
        title = namespace
    else:
        title = f"rest of {namespace}"
    return Line(title, namespace, tuple(members))


def _place(namespace: str) -> tuple[int, str]:
    return (_ORDER.index(namespace) if namespace in _ORDER else len(_ORDER), namespace)
