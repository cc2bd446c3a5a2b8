"""Karpenter's pools: which instances each may take, and how many. CPU in virtual cores, memory in GiB."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from blueprint.instances import Architecture, InstanceType, instance_types
from blueprint.worker import WORKER


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods off a node that do not tolerate it."""

    key: str
    value: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A Karpenter NodePool, Spot. A limit is what all of its nodes may have together.

    `grace_seconds` is the NodePool's terminationGracePeriod; None waits for pods without bound. `drift_budget` is how
    many nodes Karpenter may replace at once because they differ from their class. `expires_hours`: None is Never.
    """

    name: str
    types: tuple[InstanceType, ...]
    cpu: int
    memory_gib: int
    gpu: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    consolidate_after_seconds: int
    grace_seconds: int | None = None
    drift_budget: str
    expires_hours: int | None = None

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        return tuple(sorted({one.architecture for one in self.types}))

    @property
    def families(self) -> tuple[str, ...]:
        """Its types' instance families.

        >>> GPU.families
        ('g4dn', 'g5')
        """
        return tuple(sorted({one.name.split(".")[0] for one in self.types}))


def gpu_pool(gpus: int) -> Pool:
    """The pool `gpu-workers`, of one number: cores and memory follow it upward, 8 and 32 GiB a GPU.

    >>> gpu_pool(10).cpu, gpu_pool(10).memory_gib, gpu_pool(15).cpu, gpu_pool(15).memory_gib
    (100, 400, 120, 480)
    """
    return Pool(
        name="gpu-workers",
        types=instance_types("g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge"),
        cpu=max(100, 8 * gpus),
        memory_gib=max(400, 32 * gpus),
        gpu=gpus,
        labels=MappingProxyType({"workload-type": "gpu"}),
        taints=(Taint("nvidia.com/gpu", "true"),),
        consolidate_after_seconds=30,
        grace_seconds=WORKER.grace_seconds,
        drift_budget="0",
        expires_hours=None,
    )


GPU = gpu_pool(10)
GENERAL = Pool(
    name="general",
    types=instance_types(
        "m5.large", "m6i.large", "m5.xlarge", "m6i.xlarge", "m6g.large", "m7g.large", "m6g.xlarge", "m7g.xlarge"
    ),
    cpu=52,
    memory_gib=208,
    labels=MappingProxyType({"workload-type": "general"}),
    consolidate_after_seconds=60,
    grace_seconds=300,
    drift_budget="10%",
    expires_hours=720,
)
"""At the maxima, both environments rolling out, it takes 46 vCPUs and 184 GiB; the rest is for nodes that Karpenter
replaces. With more, the subnets could run out of addresses once the GPU pool has as many GPUs as prod may ask for."""
POOLS = (GPU, GENERAL)
