"""The EC2 instance types of the cluster's nodes. CPU in virtual cores, memory in GiB."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Architecture = Literal["x86_64", "arm64"]


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One EC2 instance type. `pods` is how many its network interfaces can address (eni-max-pods of the EKS AMI)."""

    name: str
    cpu: int
    memory_gib: int
    pods: int
    architecture: Architecture = "x86_64"
    gpu: int = 0


_ALL = (
    InstanceType("t3.medium", 2, 4, 17),
    InstanceType("t3a.medium", 2, 4, 17),
    InstanceType("c5.large", 2, 4, 29),
    InstanceType("c6i.large", 2, 4, 29),
    InstanceType("t4g.medium", 2, 4, 17, "arm64"),
    InstanceType("c6g.large", 2, 4, 29, "arm64"),
    InstanceType("c7g.large", 2, 4, 29, "arm64"),
    InstanceType("m5.large", 2, 8, 29),
    InstanceType("m6i.large", 2, 8, 29),
    InstanceType("m5.xlarge", 4, 16, 58),
    InstanceType("m6i.xlarge", 4, 16, 58),
    InstanceType("m6g.large", 2, 8, 29, "arm64"),
    InstanceType("m7g.large", 2, 8, 29, "arm64"),
    InstanceType("m6g.xlarge", 4, 16, 58, "arm64"),
    InstanceType("m7g.xlarge", 4, 16, 58, "arm64"),
    InstanceType("g4dn.xlarge", 4, 16, 29, gpu=1),
    InstanceType("g4dn.2xlarge", 8, 32, 29, gpu=1),
    InstanceType("g5.xlarge", 4, 16, 58, gpu=1),
)
INSTANCE_TYPES: MappingProxyType[str, InstanceType] = MappingProxyType({one.name: one for one in _ALL})


def instance_types(*names: str) -> tuple[InstanceType, ...]:
    """Types by their names, in that order."""
    return tuple(INSTANCE_TYPES[name] for name in names)
