"""The cluster's namespaces, how strictly Pod Security judges each, and what a container gets that asks for nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from blueprint.cluster import VERSION
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.rules import demand
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS

Level = Literal["privileged", "baseline", "restricted"]
LEVELS: tuple[Level, ...] = ("privileged", "baseline", "restricted")
SECURITY_VERSION = f"v{VERSION}"
"""Whose Pod Security Standards are enforced: a new Kubernetes must not refuse pods that ran yesterday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One namespace. `why` is the reason of any level but `restricted`.

    `own_images`: its pods run images of our registry and no others. `gates`: the load balancer controller gives its
    pods readiness gates, so that a rollout waits until the load balancer sends requests to a new pod.
    """

    name: str
    purpose: str
    level: Level = "restricted"
    why: str = ""
    own_images: bool = False
    gates: bool = False


_ALL = (
    *(
        Namespace(name=one.namespace, purpose=f"the studio, {one.name}", own_images=True, gates=True)
        for one in CLUSTER_ENVIRONMENTS
    ),
    Namespace(name="argocd", purpose="ArgoCD"),
    Namespace(
        name="monitoring",
        purpose="Prometheus, Grafana, Alertmanager, exporters, Fluent Bit",
        level="privileged",
        why="node-exporter reads the node's /proc and /sys in its network, Fluent Bit its logs, DCGM its GPU",
    ),
    Namespace(name="karpenter", purpose="Karpenter's controller"),
    Namespace(name="keda", purpose="KEDA"),
    Namespace(name="external-secrets", purpose="External Secrets, a controller a store"),
    # Without its node agent, which would mount /var/lib/kubelet/pods: it keeps objects, volumes have their own backups.
    Namespace(name="velero", purpose="Velero, the cluster's state into the backups bucket"),
    Namespace(name="ci-runners", purpose="GitHub's self-hosted runners: steps that need the private API"),
    Namespace(name="bootstrap", purpose="the Job that makes the database's schemas and roles", own_images=True),
)
NAMESPACES: Mapping[str, Namespace] = MappingProxyType({one.name: one for one in _ALL})
"""kube-system is Kubernetes' own, and no level is enforced there: its agents mount the node's folders."""
INGRESS = Namespace(name="ingress-nginx", purpose="the edge's routing where it is pods of the cluster")
"""There where `edge_and_cache` is in-cluster (`blueprint.in_cluster`)."""
CACHE_IMAGES = "docker.io/valkey/valkey"
"""What dev and prod may run beside our own images where their caches are pods (`blueprint.in_cluster`)."""
KUBERNETES_OWN = ("kube-system", "kube-public", "kube-node-lease", "default")


@dataclass(frozen=True, slots=True)
class ContainerDefaults:
    """LimitRange of dev and prod: what a container gets that says nothing, and the most memory that one may have.

    No default and no maximum of CPU: either becomes a limit of each container that has none (Kubernetes documentation,
    "Limit Ranges"), and a limit holds a service back on a node that idles. CPU in cores, memory in MiB.
    """

    cpu_request: float = 0.1
    memory_request_mib: int = 128
    memory_limit_mib: int = 256
    memory_maximum_mib: int = WORKER.memory_gib * 1024


CONTAINER_DEFAULTS = ContainerDefaults()


def check(namespaces: Mapping[str, Namespace] = NAMESPACES, defaults: ContainerDefaults = CONTAINER_DEFAULTS) -> None:
    """The rules between these rows and those of other modules.

    Raises:
        RuleError: one is broken; the message names the setting.
    """
    for name, one in namespaces.items():
        demand(one.level in LEVELS, f"namespaces.{name}.level", one.level, f"must be one of {', '.join(LEVELS)}")
        demand(
            one.level == "restricted" or bool(one.why),
            f"namespaces.{name}.level",
            one.level,
            "must be restricted, or say why it is not",
        )
        demand(name not in KUBERNETES_OWN, f"namespaces.{name}", name, "is Kubernetes' own")
    for environment in CLUSTER_ENVIRONMENTS:
        found = namespaces.get(environment.namespace)
        demand(
            found is not None and found.level == "restricted" and found.own_images,
            f"namespaces.{environment.namespace}",
            found,
            "is an environment's: it must be there, restricted, with our own images alone",
        )
    for workload in WORKLOADS.values():
        demand(
            workload.namespace in namespaces or workload.namespace in KUBERNETES_OWN,
            f"workloads.{workload.name}.namespace",
            workload.namespace,
            "is no namespace of the cluster (blueprint/namespaces.py)",
        )
    demand(
        0 < defaults.memory_request_mib <= defaults.memory_limit_mib <= defaults.memory_maximum_mib,
        "namespaces.defaults.memory_limit_mib",
        defaults.memory_limit_mib,
        f"must lie between the request, {defaults.memory_request_mib}, and the maximum, {defaults.memory_maximum_mib}",
    )
