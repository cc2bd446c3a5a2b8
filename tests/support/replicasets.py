"""The ReplicaSet controller's choice of pods to delete (Kubernetes, pkg/controller: ActivePodsWithRanks).

Unassigned before assigned, pending before unknown before running, not Ready before Ready, cheaper before dearer, then
where more of the set share a node, then the younger. What comes first goes first.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from blueprint.worker import DELETION_COST

PHASES = ("Pending", "Unknown", "Running")


@dataclass(frozen=True)
class ActivePod:
    """A pod as the controller sees it. `age` in seconds."""

    name: str
    node: str = "node"
    phase: str = "Running"
    ready: bool = True
    age: float = 0.0
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def cost(self) -> int:
        """What no number, or none of 32 bits, is said to cost is 0."""
        try:
            cost = int(self.annotations.get(DELETION_COST, "0"))
        except ValueError:
            return 0
        return cost if -(2**31) <= cost < 2**31 else 0


def scaled_in(pods: Sequence[ActivePod], replicas: int) -> list[ActivePod]:
    """The pods that go when so many are to be left."""
    together = Counter(pod.node for pod in pods)
    ranked = sorted(
        pods,
        key=lambda pod: (
            bool(pod.node),
            PHASES.index(pod.phase),
            pod.ready,
            pod.cost,
            -together[pod.node],
            pod.age,
        ),
    )
    return ranked[: max(0, len(pods) - replicas)]
