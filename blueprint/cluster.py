"""The EKS cluster: its version, names, logs, system nodes, who gets in, and the rules that its numbers keep.

Karpenter's pools stand in `blueprint.pools`, what an environment asks for at most in `blueprint.maxima`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from blueprint.buckets import LOG_PREFIXES
from blueprint.delivery import GITHUB
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.instances import Architecture, InstanceType, instance_types
from blueprint.maxima import maxima, workers_maximum
from blueprint.pools import GENERAL, GPU, Pool
from blueprint.rules import demand
from blueprint.security import OPERATORS

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
SPOT_WARNING = "EC2 Spot Instance Interruption Warning"
INTERRUPTION_EVENTS = MappingProxyType(
    {
        "SpotInterruption": ("aws.ec2", SPOT_WARNING),
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
