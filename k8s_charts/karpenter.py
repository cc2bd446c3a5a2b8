"""platform/karpenter: NodePools and node classes."""

from blueprint.cluster import KARPENTER_NODE_ROLE
from blueprint.cold_start import COLD_START, NODE_CONFIG
from blueprint.node_classes import (
    AMI,
    CLUSTER_GROUP_TAG,
    DISCOVERY_TAG,
    NODE_CLASSES,
    NODE_TAGS,
    NodeClass,
    check,
)
from blueprint.pools import GPU, POOLS, Pool
from k8s_charts.components.karpenter import Architecture, Budget, EC2NodeClass, LocalDisks, NodePool, RootVolume
from k8s_charts.components.pods import cores
from k8s_charts.folder import Folder, GitOps

ARCHITECTURES: dict[str, Architecture] = {"x86_64": "amd64", "arm64": "arm64"}
"""EC2's names and Kubernetes'."""


def add(app: GitOps) -> None:
    """Adds the folder.

    Raises:
        RuleError: a pool or a node class of the blueprint that cannot be.
    """
    check()
    folder = Folder(app, "platform/karpenter")
    classes = {one.pool.name: one for one in NODE_CLASSES}
    for one in NODE_CLASSES:
        _node_class(folder, one)
    for pool in POOLS:
        _pool(folder, pool, classes[pool.name])


def _pool(folder: Folder, pool: Pool, node_class: NodeClass) -> None:
    limits = {"cpu": cores(pool.cpu), "memory": f"{pool.memory_gib}Gi"}
    if pool.gpu:
        limits[GPU.taints[0].key] = str(pool.gpu)
    NodePool(
        folder,
        pool.name,
        node_class=node_class.name,
        instance_types=[one.name for one in pool.types],
        architectures=sorted(ARCHITECTURES[one] for one in pool.architectures),
        labels=pool.labels,
        taints=pool.taints,
        limits=limits,
        consolidate_seconds=pool.consolidate_after_seconds,
        budgets=_budgets(pool),
        expire_hours=pool.expires_hours,
        grace_seconds=pool.grace_seconds,
    )


def _budgets(pool: Pool) -> tuple[Budget, ...]:
    """Nodes without pods may all end at once. A drifted node is drained within its grace period even past
    do-not-disrupt, so `drift_budget` protects work; an underused one only where every pod may be evicted."""
    if pool.drift_budget == "0":
        return (Budget("100%", ("Empty", "Underutilized")), Budget("0", ("Drifted",)))
    return (Budget("100%", ("Empty",)), Budget(pool.drift_budget, ("Underutilized", "Drifted")))


def _node_class(folder: Folder, one: NodeClass) -> None:
    EC2NodeClass(
        folder,
        one.name,
        ami=AMI,
        role=KARPENTER_NODE_ROLE,
        subnet_tags=dict([DISCOVERY_TAG]),
        security_group_tags=[dict([DISCOVERY_TAG]), dict([CLUSTER_GROUP_TAG])],
        root=RootVolume(gib=one.disk_gib, key_arn=folder.app.facts["cluster/key-arn"]),
        tags=NODE_TAGS,
        detailed_monitoring=one.detailed_monitoring,
        disks=_disks(one),
    )


def _disks(one: NodeClass) -> LocalDisks:
    if not one.pool.gpu:
        return LocalDisks()
    return LocalDisks(raid0=COLD_START.raid0, node_config=NODE_CONFIG if COLD_START.cache == "soci" else {})
