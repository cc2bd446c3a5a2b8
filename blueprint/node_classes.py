"""What Karpenter's nodes are made of: image, disks, tags; the pools themselves are in `blueprint.pools`. GiB."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from blueprint import cold_start
from blueprint.cluster import NAME, SYSTEM
from blueprint.cold_start import ColdStart
from blueprint.finance import ENVIRONMENT_TAG, PROJECT_TAG, SHARED
from blueprint.pools import GENERAL, GPU, POOLS, Pool
from blueprint.rules import demand

AMI = "al2023@v20261023"
"""The release of the EKS-optimized Amazon Linux 2023 that nodes run, seen with Kubernetes 1.33 to 1.35. Karpenter takes
its NVIDIA variant for types with a GPU. Pinned: `latest` would call every node drifted on the day of a release."""
DISCOVERY_TAG = ("karpenter.sh/discovery", NAME)
"""On the private subnets and on the nodes' security group (`stacks.network`)."""
CLUSTER_GROUP_TAG = ("aws:eks:cluster-name", NAME)
"""EKS sets it on the cluster's own security group, by which nodes and control plane reach each other. Nobody else can:
the prefix is AWS's. (The tag kubernetes.io/cluster/<name> may be on other groups too.)"""
DEVICE_PLUGIN_IMAGE = (
    "nvcr.io/nvidia/k8s-device-plugin:v0.19.3@sha256:25cc340fe6fd53c101e16fc452f503e7a92c219c64a80ed5381784b522dbbf77"
)
"""NVIDIA's device plugin. Amazon Linux 2023 brings driver and container toolkit, but no plugin (Amazon EKS user guide,
"Install Kubernetes device plugin for GPUs"); without it no node has a GPU to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    """An EC2NodeClass and the pool that it is for. `disk_gib` is the root volume, gp3, encrypted.

    `detailed_monitoring`: EC2's metrics by the minute, at 2.10 dollars a node and month.
    """

    name: str
    pool: Pool
    disk_gib: int
    detailed_monitoring: bool = False


GPU_CLASS = NodeClass(name="gpu-nodeclass", pool=GPU, disk_gib=30)
"""Images and pods lie on the node's own NVMe disks (`blueprint.cold_start`); the root volume has the system alone."""
GENERAL_CLASS = NodeClass(name="general-nodeclass", pool=GENERAL, disk_gib=50)
"""Up to 58 pods, whose images and logs share the volume with the system."""
NODE_CLASSES = (GPU_CLASS, GENERAL_CLASS)
NODE_TAGS: Mapping[str, str] = MappingProxyType({PROJECT_TAG[0]: PROJECT_TAG[1], ENVIRONMENT_TAG: SHARED})
"""Beside Karpenter's own, on instances, volumes and network interfaces: what the bill is split by."""
SMALLEST_DISK_GIB = SYSTEM.disk_gib


def check(
    classes: tuple[NodeClass, ...] = NODE_CLASSES, ami: str = AMI, start: ColdStart = cold_start.COLD_START
) -> None:
    """The rules of these numbers, the cold start's included: its choice is made of node classes here.

    Raises:
        RuleError: one is broken; the message names the number.
    """
    for one in classes:
        demand(
            one.disk_gib >= SMALLEST_DISK_GIB,
            f"node_classes.{one.name}.disk_gib",
            one.disk_gib,
            f"holds no EKS node: the system nodes' {SMALLEST_DISK_GIB} is the least",
        )
    without = {one.name for one in POOLS} - {one.pool.name for one in classes}
    demand(not without, "node_classes", sorted(without), "are pools without a node class")
    cold_start.check(start)
    demand(
        start.cache != "snapshot",
        "cold_start.cache",
        start.cache,
        "wants Bottlerocket and a snapshot a release; the GPU node class is Amazon Linux 2023",
    )
    family, _, version = ami.partition("@")
    demand(
        bool(family) and version not in ("", "latest"),
        "node_classes.AMI",
        ami,
        "must name a release, family@version; latest would replace every node on the day of a release",
    )
