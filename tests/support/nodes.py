"""What Karpenter may start: which nodes a NodePool allows, which pods they take, and how many may end at once.

It follows Karpenter's documentation, "NodePools" and "Disruption", and Kubernetes', "Taints and Tolerations".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from blueprint.instances import InstanceType
from tests.support.manifests import Manifests, Object

ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
NO_BOUND = 10**6


@dataclass(frozen=True, slots=True)
class Node:
    """One node as a pod sees it."""

    labels: Mapping[str, str]
    taints: Sequence[Mapping[str, str]]

    def takes(self, pod: Mapping[str, Any]) -> bool:
        """Whether selector and tolerations let a pod's specification run here."""
        wanted = pod.get("nodeSelector", {})
        return all(self.labels.get(key) == value for key, value in wanted.items()) and all(
            any(_tolerates(one, taint) for one in pod.get("tolerations", [])) for taint in self.taints
        )


class Pool:
    """One NodePool."""

    def __init__(self, one: Object) -> None:
        self.name = one.name
        self.spec = one.body["spec"]
        self.template = self.spec["template"]["spec"]
        self.requirements = {item["key"]: item for item in self.template["requirements"]}

    def node(self, kind: InstanceType, capacity: str = "spot") -> Node | None:
        """A node of an instance type as this pool would start it; None where it would not."""
        own = {
            "node.kubernetes.io/instance-type": kind.name,
            "kubernetes.io/arch": ARCHITECTURES[kind.architecture],
            "kubernetes.io/os": "linux",
            "karpenter.sh/capacity-type": capacity,
        }
        for key, item in self.requirements.items():
            assert item["operator"] == "In", key
            if own.get(key) not in item["values"]:
                return None
        labels = {**own, **self.spec["template"]["metadata"]["labels"], "karpenter.sh/nodepool": self.name}
        return Node(labels, self.template.get("taints", []))

    def may_end(self, reason: str, nodes: int) -> int:
        """How many of so many nodes may end at once; per cent are rounded up, the least budget holds."""
        most = NO_BOUND
        for budget in self.spec["disruption"]["budgets"]:
            if reason in budget.get("reasons", [reason]):
                share = budget["nodes"]
                most = min(most, ceil(nodes * int(share[:-1]) / 100) if share.endswith("%") else int(share))
        return min(most, nodes)


def pools(manifests: Manifests) -> dict[str, Pool]:
    return {one.name: Pool(one) for one in manifests.of("NodePool")}


def _tolerates(toleration: Mapping[str, str], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") not in (None, taint["effect"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in (None, taint["key"])
    return toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", "")
