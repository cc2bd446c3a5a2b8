"""The EKS cluster: its version, system nodes, Karpenter's pools, who gets in, and what they add up to.

Memory in GiB, CPU in virtual cores. AWS reads it in `stacks.cluster`; charts make NodePools and node classes of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from types import MappingProxyType
from typing import Literal

from blueprint.data import LOG_PREFIXES
from blueprint.delivery import GITHUB
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.instances import Architecture, InstanceType, instance_types
from blueprint.network import ZONES
from blueprint.rules import demand
from blueprint.security import OPERATORS
from blueprint.services import SERVICES, Service
from blueprint.worker import WORKER, GpuWorker

NAME = "pingvas-shared-eks"
VERSION = "1.35"
"""The newest Kubernetes that CDK and cdk8s both address: CDK knows 1.36, cdk8s-plus ends at 35."""
SUPPORT = "STANDARD"
"""At the end of standard support EKS upgrades by itself, rather than bill six times as much for extended support."""
LOG_GROUP = f"/aws/eks/{NAME}/cluster"
"""Where EKS writes the control plane's logs; the name is EKS's own."""
CONTAINER_LOG_GROUP = f"/aws/eks/{NAME}/logs"
CONTAINER_LOG_PREFIX = f"{LOG_PREFIXES.containers}/"
"""Where Fluent Bit writes in the logs bucket."""
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
LOG_DAYS = 90
"""The control plane's: an audit question comes weeks after what it asks about."""
CONTAINER_LOG_DAYS = 30
OWNED_TAG = f"kubernetes.io/cluster/{NAME}"
"""With the value `owned` on what belongs to the cluster: Karpenter's nodes, volumes of claims."""
SYSTEM_NODE_ROLE = "pingvas-node-system"
KARPENTER_NODE_ROLE = "pingvas-node-karpenter"
INTERRUPTION_QUEUE = NAME
INTERRUPTION_RETENTION_SECONDS = 300
"""A Spot notice is worth two minutes; what is older than five helps nobody."""
INTERRUPTION_EVENTS = MappingProxyType(
    {
        "SpotInterruption": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
        "Rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
        "StateChange": ("aws.ec2", "EC2 Instance State-change Notification"),
        "Health": ("aws.health", "AWS Health Event"),
    }
)
"""Source and detail type of each event that Karpenter reads from its queue."""


@dataclass(frozen=True, slots=True)
class Access:
    """An access entry: what an IAM role, named by its fixed name, may do in Kubernetes.

    `policy` is one of EKS's access policies; without `namespaces` it holds in all of the cluster. `groups` are
    Kubernetes groups that charts may bind further roles to.
    """

    role: str
    policy: str
    namespaces: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


ACCESS = (
    Access(OPERATORS.role, "AmazonEKSClusterAdminPolicy"),
    Access(
        GITHUB.role,
        "AmazonEKSViewPolicy",
        namespaces=("argocd", *(one.namespace for one in CLUSTER_ENVIRONMENTS)),
        groups=("pingvas:delivery",),
    ),
)
"""People are administrators, since somebody makes namespaces and installs ArgoCD; they need MFA and the VPN to become
it. GitHub looks at what it delivered: ArgoCD writes, it does not. Nobody is one for having made the cluster.
"""


@dataclass(frozen=True, slots=True)
class SystemNodes:
    """The managed node group for what must run before Karpenter does: CoreDNS, controllers, Karpenter itself.

    All types of an architecture have 2 cores and 4 GiB, as t3.medium has: Spot interrupts less where it can choose,
    and whichever it chooses, what fits one fits the others. The smallest holds 17 pods.
    """

    types: Mapping[Architecture, tuple[InstanceType, ...]]
    minimum: int = 2
    desired: int = 3
    """As many as hold what must run before Karpenter does, and one more, since Spot or a zone may take one at any time:
    `blueprint.capacity` computes it and refuses another number."""
    maximum: int = 5
    disk_gib: int = 30
    unavailable: int = 1
    """How many nodes an update replaces at once."""
    label: tuple[str, str] = ("role", "system")


AMI = MappingProxyType({"x86_64": "AL2023_x86_64_STANDARD", "arm64": "AL2023_ARM_64_STANDARD"})
"""The managed node group's AMI type by architecture."""
SYSTEM = SystemNodes(
    types=MappingProxyType(
        {
            "x86_64": instance_types("t3.medium", "t3a.medium", "c5.large", "c6i.large"),
            "arm64": instance_types("t4g.medium", "c6g.large", "c7g.large"),
        }
    )
)


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


SURGE = 0.25
"""A rollout's surge, as a share of a service's replicas."""
MIGRATION_CPU = 0.5
MIGRATION_MEMORY_GIB = 0.5
"""The Job that migrates a schema before a rollout."""


def workers_maximum(environment: Environment, pool: Pool = GPU) -> int:
    """To how many workers KEDA scales: its maximum, the namespace's GPU quota or the pool's GPUs, whichever is least.

    >>> [workers_maximum(one) for one in CLUSTER_ENVIRONMENTS]
    [3, 10]
    """
    quota = environment.quota.gpu if environment.quota else environment.workers.maximum
    return min(environment.workers.maximum, quota // WORKER.gpu, pool.gpu // WORKER.gpu)


@dataclass(frozen=True, slots=True)
class ServiceQuota:
    """A quota of the account (Service Quotas) in the region, and what the platform reaches at its maxima."""

    service: str
    code: str
    name: str
    needed: int
    why: str


UPDATE_SURGE = 2 * ZONES
"""System nodes that an update may start beside those there are, two a zone (EKS user guide, "Understand each phase of
node updates")."""


def service_quotas(
    *, system: SystemNodes = SYSTEM, gpu: Pool = GPU, general: Pool = GENERAL
) -> tuple[ServiceQuota, ...]:
    """Spot quotas, in vCPUs, that the maxima need; new accounts have 0 of the first and little of the second.

    >>> [(one.code, one.needed) for one in service_quotas()]
    [('L-3819A6DF', 80), ('L-34B43A08', 74)]
    """
    largest = max(one.cpu // one.gpu for one in gpu.types)
    nodes = max(one.cpu for types in system.types.values() for one in types)
    return (
        ServiceQuota(
            "ec2",
            "L-3819A6DF",
            "All G and VT Spot Instance Requests",
            min(gpu.cpu, gpu.gpu * largest),
            f"{gpu.gpu} GPUs on nodes of up to {largest} vCPUs",
        ),
        ServiceQuota(
            "ec2",
            "L-34B43A08",
            "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
            general.cpu + (system.maximum + UPDATE_SURGE) * nodes,
            f"{general.cpu} vCPUs of the general pool, {system.maximum} system nodes, {UPDATE_SURGE} more in an update",
        ),
    )


def check(
    *,
    system: SystemNodes = SYSTEM,
    gpu: Pool = GPU,
    general: Pool = GENERAL,
    environments: Iterable[Environment] = CLUSTER_ENVIRONMENTS,
) -> None:
    """The rules between these numbers; synthesis asks before it makes a cluster of them.

    Raises:
        RuleError: one is broken; the message names the number.
    """
    demand(system.minimum >= 2, "cluster.system.minimum", system.minimum, "must be 2 or more, or one loss stops DNS")
    demand(
        system.minimum <= system.desired <= system.maximum,
        "cluster.system.desired",
        system.desired,
        f"must be from the minimum, {system.minimum}, to the maximum, {system.maximum}",
    )
    demand(gpu.gpu >= 1, "cluster.gpu-workers.gpu", gpu.gpu, "must be 1 or more, or no picture is ever made")
    for pool in (gpu, general):
        for limit, smallest in (
            ("cpu", min(one.cpu for one in pool.types)),
            ("memory_gib", min(one.memory_gib for one in pool.types)),
        ):
            value = getattr(pool, limit)
            demand(
                value >= smallest, f"cluster.{pool.name}.{limit}", value, f"is less than its smallest node's {smallest}"
            )
    for environment in environments:
        _check_quota(environment, gpu)


@dataclass(frozen=True, slots=True)
class Maxima:
    """What an environment asks for at most, a rollout's surge and a migration included. CPU in cores, memory in GiB."""

    replicas: int
    workers: int
    cpu: float
    memory_gib: float
    gpu: int
    pods: int


def maxima(
    environment: Environment, *, services: Iterable[Service] | None = None, worker: GpuWorker = WORKER
) -> Maxima:
    """An environment's maxima, whatever its quota and the GPU pool would let it have.

    >>> both = [maxima(one) for one in CLUSTER_ENVIRONMENTS]
    >>> [(one.cpu, one.memory_gib, one.gpu, one.pods) for one in both]
    [(17.0, 47.0, 3, 39), (50.0, 200.0, 15, 81)]
    """
    every = tuple(services or SERVICES.values())
    workers = environment.workers.maximum
    replicas = ceil(environment.replicas.maximum * (1 + SURGE))
    return Maxima(
        replicas=replicas,
        workers=workers,
        cpu=sum(one.cpu_request for one in every) * replicas + workers * worker.cpu + MIGRATION_CPU,
        memory_gib=sum(one.memory_request_mib for one in every) / 1024 * replicas
        + workers * worker.memory_gib
        + MIGRATION_MEMORY_GIB,
        gpu=workers * worker.gpu,
        pods=len(every) * replicas + workers + 1,
    )


def _check_quota(environment: Environment, gpu: Pool) -> None:
    quota = environment.quota
    name = f"environments.{environment.name}.quota"
    demand(quota is not None, name, quota, "an environment of the cluster has a quota")
    if quota is None:
        return
    most = maxima(environment)
    replicas, workers, cpu, memory, pods = most.replicas, most.workers, most.cpu, most.memory_gib, most.pods
    what = f"smaller than the maxima: {replicas} replicas a service, {workers} workers and a migration ask for"
    demand(quota.gpu >= most.gpu, f"{name}.gpu", quota.gpu, f"smaller than the maxima: {workers} workers")
    demand(quota.cpu >= cpu, f"{name}.cpu", quota.cpu, f"{what} {cpu:g} cores")
    demand(quota.memory_gib >= memory, f"{name}.memory_gib", quota.memory_gib, f"{what} {memory:g} GiB")
    demand(quota.pods >= pods, f"{name}.pods", quota.pods, f"{what} {pods} pods")
    demand(
        workers_maximum(environment, gpu) >= 1,
        f"environments.{environment.name}.workers.maximum",
        workers,
        f"leaves no worker: quota {quota.gpu} GPUs, pool {gpu.gpu} GPUs",
    )
