"""EKS, its nodes and add-ons, Karpenter's AWS side, and a role a workload."""

from constructs import Construct

from blueprint import capacity, cluster
from blueprint.contract import role
from blueprint.workloads import WORKLOADS
from stacks.components.eks import Eks
from stacks.components.karpenter import Karpenter
from stacks.components.nodes import SystemNodes
from stacks.components.policies import Here
from stacks.components.stack import PlatformStack
from stacks.components.workload_policies import policies
from stacks.components.workload_resources import Resources
from stacks.components.workload_roles import WorkloadRoles
from stacks.data import DataStack
from stacks.delivery import DeliveryStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import StorageStack


class ClusterStack(PlatformStack):
    """`cluster` and `node_group`, `log_group` (containers) and `control_plane_log_group`, `roles` by workload."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        network: NetworkStack,
        security: SecurityStack,
        storage: StorageStack,
        data: DataStack,
        delivery: DeliveryStack,
    ) -> None:
        cluster.check()
        capacity.check()
        super().__init__(
            scope, "Cluster", settings=settings, description="EKS, Karpenter, workload roles", stateful=True
        )
        # Access entries name roles that have to be there; a name alone would not tell CloudFormation so.
        self.add_stack_dependency(security)
        self.add_stack_dependency(delivery)
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
        karpenter = Karpenter(self, "Karpenter")
        plane.admit_nodes("KarpenterNodes", karpenter.node_role.attr_arn)
        workloads = WorkloadRoles(
            self,
            "Workloads",
            cluster=self.cluster,
            policies={
                **policies(
                    Resources(
                        settings=settings,
                        here=Here.of(self),
                        storage_key=security.keys.storage.key_arn,
                        secrets_key=security.keys.secrets.key_arn,
                        volume_key=security.keys.cluster.key_arn,
                        file_system=data.file_system.attr_arn,
                        access_points=[point.attr_arn for point in data.access_points.values()],
                        master_secret=data.aurora.attr_master_user_secret_secret_arn,
                    )
                ),
                "karpenter": karpenter.controller(
                    subnets=[subnet.subnet_id for subnet in subnets],
                    security_groups=[
                        network.groups.nodes.security_group_id,
                        self.cluster.attr_cluster_security_group_id,
                    ],
                    key=security.keys.cluster.key_arn,
                ),
            },
        )
        self.roles = workloads.roles
        system.after(workloads.associations)
        self.publish("cluster/name", self.cluster.ref)
        self.publish("cluster/endpoint", self.cluster.attr_endpoint)
        self.publish("cluster/security-group-id", self.cluster.attr_cluster_security_group_id)
        self.publish("cluster/node-role-name", karpenter.node_role.ref)
        self.publish("cluster/interruption-queue", karpenter.queue.attr_queue_name)
        self.publish("cluster/log-group", self.log_group.ref)
        self.publish("cluster/key-arn", security.keys.cluster.key_arn)
        for name, made in self.roles.items():
            if environment := WORKLOADS[name].environment:
                self.tag_environment(made, environment)
            self.publish(role(name), made.attr_arn)
