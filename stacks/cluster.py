"""EKS, its nodes and add-ons, Karpenter's AWS side, and a role a workload."""

from constructs import Construct

from blueprint.cluster import check
from stacks.components.eks import Eks
from stacks.components.nodes import SystemNodes
from stacks.components.stack import PlatformStack
from stacks.data import DataStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import StorageStack


class ClusterStack(PlatformStack):
    """`cluster` and `node_group`, `log_group` (containers) and `control_plane_log_group`."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        network: NetworkStack,
        security: SecurityStack,
        storage: StorageStack,
        data: DataStack,
    ) -> None:
        check()
        super().__init__(
            scope, "Cluster", settings=settings, description="EKS, Karpenter, workload roles", stateful=True
        )
        subnets = network.tier("private")
        plane = Eks(
            self,
            "Eks",
            settings=settings,
            subnets=subnets,
            vpn=network.groups.vpn,
            key=security.keys.cluster,
            logs_key=network.logs_key,
            removal=self.removal,
        )
        self.cluster = plane.cluster
        self.log_group = plane.log_group
        self.control_plane_log_group = plane.control_plane_log_group
        system = SystemNodes(
            self,
            "System",
            settings=settings,
            cluster=self.cluster,
            subnets=subnets,
            nodes=network.groups.nodes,
            key=security.keys.cluster,
        )
        self.node_group = system.group
        self.publish("cluster/name", self.cluster.ref)
        self.publish("cluster/endpoint", self.cluster.attr_endpoint)
        self.publish("cluster/security-group-id", self.cluster.attr_cluster_security_group_id)
        self.publish("cluster/log-group", self.log_group.ref)
