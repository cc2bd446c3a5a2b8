"""The platform's security groups, and every rule between them."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Tags
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from blueprint.cluster import NAME as CLUSTER
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.network import EFS_PORT, HTTP_PORT, HTTPS_PORT, POSTGRES_PORT, REDIS_PORT, VPN_PORTS
from blueprint.services import SERVICES
from stacks.components.excuse import excuse
from stacks.settings import Settings


@dataclass(frozen=True, slots=True)
class SecurityGroups:
    """The platform's security groups; `redis` by environment, `endpoints` where there are interface endpoints."""

    alb: ec2.SecurityGroup
    nodes: ec2.SecurityGroup
    aurora: ec2.SecurityGroup
    rotation: ec2.SecurityGroup
    redis: Mapping[str, ec2.SecurityGroup]
    efs: ec2.SecurityGroup
    vpn: ec2.SecurityGroup
    endpoints: ec2.SecurityGroup | None


def security_groups(scope: Construct, *, vpc: ec2.Vpc, settings: Settings) -> SecurityGroups:
    """Makes the groups and their rules.

    A group of the data tier has no use for egress. EC2 gives a group without egress rules in its template one that
    allows everything, so CDK writes a rule that no packet can match, ICMP to 255.255.255.255, and that one stays.
    """

    def group(name: str, description: str, *, all_out: bool = False) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(scope, f"{name}Group", vpc=vpc, description=description, allow_all_outbound=all_out)

    groups = SecurityGroups(
        alb=group("Alb", "Load balancer"),
        nodes=group("Nodes", "Every node of the cluster", all_out=True),
        aurora=group("Aurora", "Aurora"),
        rotation=group("Rotation", "Functions that rotate database passwords"),
        redis={one.name: group(f"Redis-{one.name}", f"Redis {one.name}") for one in CLUSTER_ENVIRONMENTS},
        efs=group("Efs", "EFS mount targets"),
        vpn=group("Vpn", "OpenVPN"),
        endpoints=group("Endpoints", "Interface endpoints") if settings.interface_endpoints else None,
    )
    Tags.of(groups.nodes).add("karpenter.sh/discovery", CLUSTER)
    _load_balancer(groups, settings)
    _vpn(groups, settings)
    anywhere, https, postgres = ec2.Peer.any_ipv4(), ec2.Port.tcp(HTTPS_PORT), ec2.Port.tcp(POSTGRES_PORT)
    groups.nodes.add_ingress_rule(groups.nodes, ec2.Port.all_traffic(), "Nodes and pods among themselves")
    groups.rotation.add_egress_rule(anywhere, https, "Secrets Manager, through NAT or its endpoint")
    groups.rotation.add_egress_rule(groups.aurora, postgres, "Sets the new password")
    for source, who in ((groups.nodes, "Pods"), (groups.vpn, "Developers"), (groups.rotation, "Rotation")):
        groups.aurora.add_ingress_rule(source, postgres, who)
    for redis in groups.redis.values():
        redis.add_ingress_rule(groups.nodes, ec2.Port.tcp(REDIS_PORT), "Pods")
    groups.efs.add_ingress_rule(groups.nodes, ec2.Port.tcp(EFS_PORT), "Nodes mount it for their pods")
    if groups.endpoints:
        # Private DNS turns the services' names to the endpoints for all of the VPC: who is not let in loses them.
        for source, who in ((groups.nodes, "Pods"), (groups.vpn, "VPN server"), (groups.rotation, "Rotation")):
            groups.endpoints.add_ingress_rule(source, https, who)
    return groups


def _load_balancer(groups: SecurityGroups, settings: Settings) -> None:
    https = ec2.Port.tcp(HTTPS_PORT)
    if settings.cloudfront:
        # The list weighs 55 of the 60 rules that a group may have: no second port fits.
        edge = ec2.Peer.prefix_list(settings.place.cloudfront_prefix_list)
        groups.alb.add_ingress_rule(edge, https, "CloudFront, and nobody else")
    else:
        for port in (https, ec2.Port.tcp(HTTP_PORT)):
            groups.alb.add_ingress_rule(ec2.Peer.any_ipv4(), port, "Everybody, without CloudFront in front")
        reason = "the setting cloudfront=false makes this the public entry; 80 only redirects to 443"
        for rule in ("AwsSolutions-EC23", "CKV_AWS_260"):
            excuse(groups.alb, rule, reason)
    ports = [service.port for service in SERVICES.values()]
    services = ec2.Port.tcp_range(min(ports), max(ports))
    # CDK's own method would take the unmatchable rule away, and only the documentation of a second resource would stand
    # between the group and EC2's rule that allows everything.
    ec2.CfnSecurityGroupEgress(
        groups.alb,
        "ToPods",
        group_id=groups.alb.security_group_id,
        destination_security_group_id=groups.nodes.security_group_id,
        ip_protocol="tcp",
        from_port=min(ports),
        to_port=max(ports),
        description="Pods of the five services",
    )
    groups.nodes.add_ingress_rule(groups.alb, services, "Pods of the five services")


def _vpn(groups: SecurityGroups, settings: Settings) -> None:
    """Its administration page, 943, is open to nobody: it is reached through Session Manager."""
    anywhere = ec2.Peer.any_ipv4()
    for source in settings.vpn_allowed_cidrs:
        for protocol, port in VPN_PORTS:
            allowed = ec2.Port.tcp(port) if protocol == "tcp" else ec2.Port.udp(port)
            groups.vpn.add_ingress_rule(ec2.Peer.ipv4(source), allowed, "Developers")
    groups.vpn.add_egress_rule(anywhere, ec2.Port.tcp(HTTPS_PORT), "EKS endpoint, AWS, what developers open")
    groups.vpn.add_egress_rule(anywhere, ec2.Port.tcp(HTTP_PORT), "Package mirrors, whose packages are signed")
    groups.vpn.add_egress_rule(groups.aurora, ec2.Port.tcp(POSTGRES_PORT), "Developers to Aurora")
