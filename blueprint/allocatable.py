"""What a node leaves to pods: instance type less hypervisor, kubelet, eviction threshold and DaemonSets.

The figures are Karpenter's, by which it chooses types before a node exists. A node measures its own memory, which is a
little more than Karpenter takes off for the hypervisor, so what fits here fits there (`karpenter.sh`, "Instance Types",
and its `vm-memory-overhead-percent`). The kubelet's share is that of the EKS AMI for AL2023 (`nodeadm`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from blueprint.components import COMPONENTS, Component, Place
from blueprint.instances import InstanceType

HYPERVISOR = 0.075
"""Share of the memory that Karpenter takes for the hypervisor and the kernel, its default."""
GRAVITON_MIB = 64
"""Contiguous memory that the kernel keeps on arm64; Karpenter subtracts it."""
EVICTION_MIB = 100
"""The kubelet's `memory.available`, below which it evicts."""
RESERVED_MIB, RESERVED_MIB_A_POD = 255, 11
"""The kubelet's memory: a part, and one for each pod that the type could hold."""
RESERVED_CPU = ((0, 1000, 0.06), (1000, 2000, 0.01), (2000, 4000, 0.005), (4000, 1 << 31, 0.0025))
"""The kubelet's share of millicores, from and to."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What pods ask for or a node has. CPU in millicores, memory in MiB."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0
    gpu: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods, self.gpu + other.gpu)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.cpu - other.cpu, self.memory - other.memory, self.pods - other.pods, self.gpu - other.gpu)

    def lacks(self, other: "Amount") -> tuple[str, ...]:
        """Of what this has too little to hold the other, by field.

        >>> Amount(cpu=1000, memory=512, pods=1).lacks(Amount(cpu=500, memory=1024, pods=1))
        ('memory',)
        """
        return tuple(name for name in ("cpu", "memory", "pods", "gpu") if getattr(other, name) > getattr(self, name))

    def holds(self, other: "Amount") -> bool:
        return not self.lacks(other)


def total(amounts: Iterable[Amount]) -> Amount:
    return sum(amounts, start=Amount())


def allocatable(one: InstanceType) -> Amount:
    """What Kubernetes gives to pods of a node, DaemonSets included.

    >>> from blueprint.instances import INSTANCE_TYPES
    >>> allocatable(INSTANCE_TYPES["t3.medium"])
    Amount(cpu=1930, memory=3246, pods=17, gpu=0)
    """
    memory = one.memory_gib * 1024 - (GRAVITON_MIB if one.architecture == "arm64" else 0)
    cpu = one.cpu * 1000
    reserved = sum(int((min(cpu, end) - start) * share) for start, end, share in RESERVED_CPU if cpu >= start)
    return Amount(
        cpu=cpu - reserved,
        memory=memory - ceil(memory * HYPERVISOR) - RESERVED_MIB - RESERVED_MIB_A_POD * one.pods - EVICTION_MIB,
        pods=one.pods,
        gpu=one.gpu,
    )


def asked(component: Component) -> Amount:
    """What one of a component's pods counts for."""
    return Amount(cpu=round(component.cpu * 1000), memory=component.memory_mib or component.assumed_mib, pods=1)


def daemons(place: Place, components: Iterable[Component] = COMPONENTS.values()) -> tuple[Component, ...]:
    """The DaemonSets with a pod on each node of a kind."""
    return tuple(one for one in components if one.place == "every" or (one.daemon and one.place == place))


def room(one: InstanceType, place: Place, components: Iterable[Component] = COMPONENTS.values()) -> Amount:
    """What a node of this type, in that place, leaves to all other pods.

    >>> from blueprint.instances import INSTANCE_TYPES
    >>> room(INSTANCE_TYPES["g5.xlarge"], "gpu").memory > 12 * 1024
    True
    """
    return allocatable(one) - total(asked(daemon) for daemon in daemons(place, components))
