"""The EC2 instance types of the cluster's nodes. CPU in virtual cores, memory in GiB."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Architecture = Literal["x86_64", "arm64"]


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One EC2 instance type. `interfaces` is how many network interfaces it may have, `addresses` how many each has."""

    name: str
    cpu: int
    memory_gib: int
    interfaces: int
    addresses: int
    architecture: Architecture = "x86_64"
    gpu: int = 0

    @property
    def pods(self) -> int:
        """How many pods its interfaces can address, and the two that have the node's address (eni-max-pods of the EKS
        AMI).

        >>> INSTANCE_TYPES["t3.medium"].pods, INSTANCE_TYPES["g5.xlarge"].pods
        (17, 58)
        """
        return self.interfaces * (self.addresses - 1) + 2


_ALL = (
    InstanceType("t3.medium", 2, 4, 3, 6),
    InstanceType("t3a.medium", 2, 4, 3, 6),
    InstanceType("c5.large", 2, 4, 3, 10),
    InstanceType("c6i.large", 2, 4, 3, 10),
    InstanceType("t4g.medium", 2, 4, 3, 6, "arm64"),
    InstanceType("c6g.large", 2, 4, 3, 10, "arm64"),
    InstanceType("c7g.large", 2, 4, 3, 10, "arm64"),
    InstanceType("m5.large", 2, 8, 3, 10),
    InstanceType("m6i.large", 2, 8, 3, 10),
    InstanceType("m5.xlarge", 4, 16, 4, 15),
    InstanceType("m6i.xlarge", 4, 16, 4, 15),
    InstanceType("m6g.large", 2, 8, 3, 10, "arm64"),
    InstanceType("m7g.large", 2, 8, 3, 10, "arm64"),
    InstanceType("m6g.xlarge", 4, 16, 4, 15, "arm64"),
    InstanceType("m7g.xlarge", 4, 16, 4, 15, "arm64"),
    InstanceType("g4dn.xlarge", 4, 16, 3, 10, gpu=1),
    InstanceType("g4dn.2xlarge", 8, 32, 3, 10, gpu=1),
    InstanceType("g5.xlarge", 4, 16, 4, 15, gpu=1),
)
INSTANCE_TYPES: MappingProxyType[str, InstanceType] = MappingProxyType({one.name: one for one in _ALL})


def instance_types(*names: str) -> tuple[InstanceType, ...]:
    """Types by their names, in that order."""
    return tuple(INSTANCE_TYPES[name] for name in names)
