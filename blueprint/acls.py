"""Network ACLs: what may enter and leave each tier, whatever a security group says.

An ACL is stateless: the reply to what one rule lets in needs a rule of its own on the way out, which is why the
ephemeral ports stand on both sides. Two things pass no ACL and need no rule: DNS through the VPC's resolver, and time
from 169.254.169.123 (VPC user guide, "Network ACL basics"). Nothing else of the platform speaks UDP to the internet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from blueprint.network import (
    EFS_PORT,
    EPHEMERAL,
    HTTP_PORT,
    HTTPS_PORT,
    NETWORK,
    POSTGRES_PORT,
    REDIS_PORT,
    VPN_PORTS,
    Network,
    Tier,
)
from blueprint.rules import demand

Direction = Literal["in", "out"]
Protocol = Literal["tcp", "udp", "icmp", "any"]
ANYWHERE = IPv4Network("0.0.0.0/0")
LIMIT = 20
"""Rules a direction that an ACL may have (VPC quotas); AWS counts the last one, which denies, apart."""
FRAGMENTATION = (3, 4)
"""ICMP "fragmentation needed": without it a path with a smaller MTU swallows large packets silently."""
_VPN_UDP = dict(VPN_PORTS)["udp"]


@dataclass(frozen=True, slots=True)
class AclRule:
    """One rule that allows. `ports` are the destination's, or ICMP's type and code; None where they do not matter."""

    direction: Direction
    protocol: Protocol
    ports: tuple[int, int] | None
    peer: IPv4Network
    why: str


def acl(tier: Tier, *, cloudfront: bool, interface_endpoints: bool, network: Network = NETWORK) -> tuple[AclRule, ...]:
    """The rules of a tier, in order. Without CloudFront port 80 is open, for the redirect to 443.

    Raises:
        RuleError: more rules than an ACL may have.
    """
    rules = {
        "public": lambda: tuple(_public(network, cloudfront=cloudfront)),
        "private": lambda: tuple(_private(network)),
        "data": lambda: tuple(_data(network, interface_endpoints=interface_endpoints)),
    }[tier]()
    for direction in ("in", "out"):
        count = sum(rule.direction == direction for rule in rules)
        demand(count <= LIMIT, f"acl.{tier}.{direction}", count, f"an ACL holds {LIMIT} rules a direction")
    return rules


def _one(port: int) -> tuple[int, int]:
    return (port, port)


def _public(network: Network, *, cloudfront: bool) -> Iterator[AclRule]:
    """Load balancer, NAT gateways, VPN server."""
    web = network.vpc if cloudfront else ANYWHERE
    yield AclRule("in", "tcp", _one(HTTPS_PORT), ANYWHERE, "CloudFront to the load balancer, VPN clients, nodes to NAT")
    yield AclRule("in", "tcp", _one(HTTP_PORT), web, "nodes to NAT; the redirect where there is no CloudFront")
    yield AclRule("in", "udp", _one(_VPN_UDP), ANYWHERE, "VPN clients; the server's security group has the list")
    yield AclRule("in", "tcp", EPHEMERAL, ANYWHERE, "replies: internet to NAT and VPN server, pods to load balancer")
    yield AclRule("in", "icmp", FRAGMENTATION, ANYWHERE, "path MTU discovery of NAT and VPN server")
    yield AclRule("out", "tcp", _one(HTTPS_PORT), ANYWHERE, "NAT and VPN server to the internet and to EKS")
    yield AclRule("out", "tcp", _one(HTTP_PORT), ANYWHERE, "NAT and VPN server to package mirrors")
    yield AclRule("out", "tcp", EPHEMERAL, ANYWHERE, "replies to clients and nodes; load balancer to pods; VPN to 5432")
    yield AclRule("out", "udp", EPHEMERAL, ANYWHERE, "the VPN server's tunnel to its clients")
    yield AclRule("out", "icmp", FRAGMENTATION, ANYWHERE, "path MTU discovery of clients, and on to nodes")


def _private(network: Network) -> Iterator[AclRule]:
    """Nodes and pods, the control plane's interfaces, functions in the VPC."""
    for one in network.summary("private"):
        yield AclRule("in", "any", None, one, "nodes, pods and control plane among themselves")
    for one in network.summary("public"):
        yield AclRule("in", "tcp", _one(HTTPS_PORT), one, "VPN server to the cluster's private endpoint")
    yield AclRule("in", "tcp", EPHEMERAL, ANYWHERE, "load balancer to pods; replies from data and, by NAT, internet")
    yield AclRule("in", "icmp", FRAGMENTATION, ANYWHERE, "path MTU discovery through NAT")
    for one in network.summary("private"):
        yield AclRule("out", "any", None, one, "nodes, pods and control plane among themselves")
    yield AclRule("out", "tcp", _one(HTTPS_PORT), ANYWHERE, "AWS, registries, payment provider, interface endpoints")
    yield AclRule("out", "tcp", _one(HTTP_PORT), ANYWHERE, "package mirrors, certificate revocation lists")
    for one in network.summary("public"):
        yield AclRule("out", "tcp", EPHEMERAL, one, "replies to the load balancer and to the VPN server")
    for port, what in ((POSTGRES_PORT, "Aurora"), (REDIS_PORT, "Redis"), (EFS_PORT, "EFS")):
        for one in network.summary("data"):
            yield AclRule("out", "tcp", _one(port), one, what)
    yield AclRule("out", "icmp", FRAGMENTATION, ANYWHERE, "path MTU discovery")


def _data(network: Network, *, interface_endpoints: bool) -> Iterator[AclRule]:
    """Aurora, ElastiCache, EFS, interface endpoints: nothing from outside the VPC, nothing to it."""
    for port, what in ((POSTGRES_PORT, "Aurora"), (REDIS_PORT, "Redis"), (EFS_PORT, "EFS")):
        for one in network.summary("private"):
            yield AclRule("in", "tcp", _one(port), one, f"nodes and functions to {what}")
    for one in network.summary("public"):
        yield AclRule("in", "tcp", _one(POSTGRES_PORT), one, "VPN server to Aurora")
    others: tuple[Tier, ...] = ("private", "public")
    if interface_endpoints:
        for tier in others:
            for one in network.summary(tier):
                yield AclRule("in", "tcp", _one(HTTPS_PORT), one, "interface endpoints, whose names the whole VPC sees")
    for one in network.summary("data"):
        yield AclRule(
            "in", "tcp", None, one, "replication between zones, on ports that AWS chooses; groups refuse more"
        )
        yield AclRule("out", "tcp", None, one, "replication between zones, on ports that AWS chooses")
    for tier in others:
        for one in network.summary(tier):
            yield AclRule("out", "tcp", EPHEMERAL, one, "replies")
