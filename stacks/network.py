"""The VPC, and what has to exist before anything stands in it: subnets, security groups, the VPN's address."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.network import EFS_PORT, POSTGRES_PORT, REDIS_PORT
from blueprint.services import SERVICES
from stacks.components.addresses import BlueprintAddresses
from stacks.components.stack import PlatformStack
from stacks.settings import Settings


@dataclass(frozen=True, slots=True)
class SecurityGroups:
    """The platform's security groups; `redis` by environment."""

    alb: ec2.SecurityGroup
    nodes: ec2.SecurityGroup
    aurora: ec2.SecurityGroup
    rotation: ec2.SecurityGroup
    redis: Mapping[str, ec2.SecurityGroup]
    efs: ec2.SecurityGroup
    vpn: ec2.SecurityGroup


class NetworkStack(PlatformStack):
    """VPC, route tables, NACLs, flow logs, endpoints, security groups, the VPN's Elastic IP and the key of all logs."""

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        super().__init__(scope, "Network", settings=settings, description="VPC and security groups", stateful=True)
        self.logs_key = kms.Key(self, "LogsKey", enable_key_rotation=True, removal_policy=self.removal)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=BlueprintAddresses(),  # type: ignore[arg-type]
            availability_zones=list(settings.zones),
            nat_gateways=settings.nat_gateways,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC),
                ec2.SubnetConfiguration(name="private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
                ec2.SubnetConfiguration(name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            ],
        )
        self.vpn_address = ec2.CfnEIP(self, "VpnAddress", domain="vpc")
        self.groups = self._groups()
        self._outputs()

    def tier(self, name: str) -> list[ec2.ISubnet]:
        """The three subnets of `public`, `private` or `data`."""
        return self.vpc.select_subnets(subnet_group_name=name).subnets

    def _groups(self) -> SecurityGroups:
        def group(name: str, description: str, *, all_out: bool = False) -> ec2.SecurityGroup:
            return ec2.SecurityGroup(
                self, f"{name}Group", vpc=self.vpc, description=description, allow_all_outbound=all_out
            )

        groups = SecurityGroups(
            alb=group("Alb", "Load balancer"),
            nodes=group("Nodes", "Every node of the cluster", all_out=True),
            aurora=group("Aurora", "Aurora"),
            rotation=group("Rotation", "Functions that rotate database passwords", all_out=True),
            redis={one.name: group(f"Redis-{one.name}", f"Redis {one.name}") for one in CLUSTER_ENVIRONMENTS},
            efs=group("Efs", "EFS mount targets"),
            vpn=group("Vpn", "OpenVPN", all_out=True),
        )
        ports = [service.port for service in SERVICES.values()]
        services = ec2.Port.tcp_range(min(ports), max(ports))
        groups.alb.add_egress_rule(groups.nodes, services)
        groups.nodes.add_ingress_rule(groups.alb, services)
        groups.nodes.add_ingress_rule(groups.nodes, ec2.Port.all_traffic())
        for source in (groups.nodes, groups.vpn, groups.rotation):
            groups.aurora.add_ingress_rule(source, ec2.Port.tcp(POSTGRES_PORT))
        for redis in groups.redis.values():
            redis.add_ingress_rule(groups.nodes, ec2.Port.tcp(REDIS_PORT))
        groups.efs.add_ingress_rule(groups.nodes, ec2.Port.tcp(EFS_PORT))
        return groups

    def _outputs(self) -> None:
        self.publish("network/vpc-id", self.vpc.vpc_id)
        for name in ("public", "private", "data"):
            self.publish(f"network/{name}-subnet-ids", ",".join(subnet.subnet_id for subnet in self.tier(name)))
        self.publish("network/alb-security-group-id", self.groups.alb.security_group_id)
        self.publish("network/node-security-group-id", self.groups.nodes.security_group_id)
        self.publish("vpn/address", self.vpn_address.attr_public_ip)
