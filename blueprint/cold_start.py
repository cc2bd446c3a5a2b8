"""From no GPU node to the first picture: what each part may take, and how the image gets onto the node so soon.

Seconds, gigabytes of 10^9 bytes, megabytes a second, US dollars. The three ways to have an image early:

    soci      Amazon Linux 2023 with nodeadm's feature gate FastImagePull: layers are fetched in pieces and unpacked
              side by side, onto the node's own NVMe disk. Nothing has to be prepared at a release.
    snapshot  Bottlerocket with a data volume made of a snapshot that holds the image. Each release makes a new one.
    none      containerd as it comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Any, Literal

from blueprint.network import ZONES
from blueprint.pools import GPU, Pool
from blueprint.rules import demand
from blueprint.scaling import SCALING

Cache = Literal["soci", "snapshot", "none"]


@dataclass(frozen=True, slots=True)
class Disks:
    """A node's disks: its own NVMe in GB, and what EBS can carry at its best, whatever the volume could."""

    store_gb: int
    ebs_mb_s: float


DISKS: Mapping[str, Disks] = MappingProxyType(
    {
        "g4dn.xlarge": Disks(125, 437.5),
        "g4dn.2xlarge": Disks(225, 437.5),
        "g5.xlarge": Disks(250, 437.5),
    }
)
"""Source: EC2's DescribeInstanceTypes (EbsOptimizedInfo.MaximumThroughputInMBps, InstanceStorageInfo)."""
SOCI_DISK_MB_S = 629
"""What parallel unpacking must be able to write; below 600 MiB/s AWS found it slower than containerd alone (Amazon EKS
AMI, "Enabling fast image pull")."""
MEASURED_IMAGE_GB = 9.35
MEASURED_PULL: Mapping[Cache, int] = MappingProxyType({"none": 131, "soci": 40})
"""Published pull times of an image of MEASURED_IMAGE_GB; another variant of SOCI took 23 s."""
LAYER_MB_S = 34
"""A layer is one gzip stream, unpacked by one core: 4.74 GB in 140 s (awslabs data-on-eks, "ray-batch-inference")."""
FAST_RESTORE_DOLLARS = 0.75
"""An hour of a snapshot's fast restore in one zone (Amazon EBS pricing, us-east-1); without it a new volume fetches
each block from S3 when it is first read."""
MONTH_HOURS = 730


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a cold start. Seconds."""

    name: str
    seconds: int
    source: str


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The choice, and what it is computed from. `raid0` gives containerd the node's NVMe disks (Karpenter's
    instanceStorePolicy); a data volume made of a snapshot would lie hidden beneath them."""

    cache: Cache = "soci"
    raid0: bool = True
    image_gb: float = 9.0
    """The worker's image as the registry keeps it, compressed: CUDA, torch, diffusers. A bound that delivery holds."""
    layer_gb: float = 1.3
    """Its largest layer: with all Python packages in one layer nothing would be side by side."""
    model_gb: float = 6.9
    """SDXL in half precision: UNet 5.1, text encoders 1.6, VAE 0.2."""
    model_read_mb_s: int = 300
    """From EFS with elastic throughput; the g5.xlarge's own network does 312 MB/s for as long as one likes."""
    seconds: int = 300
    """The budget of the whole."""

    @property
    def pull_seconds(self) -> int:
        """Of the image, in proportion to the published measurement, and never before its largest layer is unpacked.

        >>> ColdStart().pull_seconds, ColdStart(cache="none", raid0=False).pull_seconds
        (39, 127)
        """
        if self.cache == "snapshot":
            return 0
        proportional = MEASURED_PULL[self.cache] * self.image_gb / MEASURED_IMAGE_GB
        return ceil(max(proportional, self.layer_gb * 1000 / LAYER_MB_S))

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order; none overlaps the next."""
        load = ceil(self.model_gb * 1000 / self.model_read_mb_s)
        published = "published measurement, awslabs data-on-eks, one run"
        return (
            Step("KEDA sees the job", SCALING.polling_seconds, "at the latest after one polling interval"),
            Step("Karpenter asks EC2 for a node", 13, published),
            Step("the node is Ready", 40, published),
            Step("its GPU is announced", 36, f"{published}, with NVIDIA's operator; the device plugin alone is less"),
            Step("the image is pulled", self.pull_seconds, "in proportion to published measurements of 9.35 GB"),
            Step(
                "Python, torch and diffusers", 15, "measured: 5 s on two cores from memory; three times that from disk"
            ),
            Step("the model is loaded", load, f"{self.model_gb} GB from EFS at {self.model_read_mb_s} MB/s"),
            Step("the first picture", 30, "estimate for SDXL, 1024x1024, 30 steps on a T4; an A10G takes about 11 s"),
        )

    @property
    def total(self) -> int:
        """Seconds from an empty pool to the first picture.

        >>> ColdStart().total, ColdStart(cache="none", raid0=False).total
        (206, 294)
        """
        return sum(step.seconds for step in self.steps)


COLD_START = ColdStart()
NODE_CONFIG: Mapping[str, Any] = MappingProxyType(
    {"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": {"featureGates": {"FastImagePull": True}}}
)
"""User data of a node that pulls with SOCI; Karpenter merges it with its own NodeConfig."""


def fast_restore_dollars(snapshots: int = 1, zones: int = ZONES) -> float:
    """What a month of fast restore would cost for this many images.

    >>> fast_restore_dollars()
    1642.5
    """
    return FAST_RESTORE_DOLLARS * zones * MONTH_HOURS * snapshots


def check(chosen: ColdStart = COLD_START, pool: Pool = GPU) -> None:
    """The rules between these numbers; synthesis asks before it makes node classes and workers of them.

    Raises:
        RuleError: one is broken; the message names the number.
    """
    demand(
        not (chosen.raid0 and chosen.cache == "snapshot"),
        "cold_start.raid0",
        chosen.raid0,
        "hides the snapshot: containerd would lie on the node's own disks, and every image be pulled; choose one",
    )
    if chosen.cache == "soci":
        for one in pool.types:
            disks = DISKS.get(one.name, Disks(0, 0.0))
            demand(
                chosen.raid0 or disks.ebs_mb_s >= SOCI_DISK_MB_S,
                "cold_start.raid0",
                chosen.raid0,
                f"leaves containerd on EBS, which carries {disks.ebs_mb_s:g} MB/s on {one.name}: SOCI wants "
                f"{SOCI_DISK_MB_S}, and is slower than containerd alone below",
            )
    if chosen.raid0:
        for one in pool.types:
            store = DISKS.get(one.name, Disks(0, 0.0)).store_gb
            demand(store > 0, "cold_start.raid0", chosen.raid0, f"{one.name} is not known to have disks of its own")
    demand(
        0 < chosen.layer_gb <= chosen.image_gb,
        "cold_start.layer_gb",
        chosen.layer_gb,
        f"must be above 0 and no more than the image's {chosen.image_gb:g}",
    )
    demand(chosen.model_read_mb_s > 0, "cold_start.model_read_mb_s", chosen.model_read_mb_s, "must be above 0")
    demand(
        chosen.total <= chosen.seconds,
        "cold_start.seconds",
        chosen.seconds,
        f"is less than its parts add up to, {chosen.total}",
    )
