"""The VPC: ranges and subnets, a /24 a tier and availability zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import Literal

from blueprint.environments import PROD
from blueprint.rules import demand

Tier = Literal["public", "private", "data"]
TIERS: tuple[Tier, ...] = ("public", "private", "data")
ZONES = 3
SUBNET_PREFIX = 24


@dataclass(frozen=True, slots=True)
class Network:
    """Ranges as the documents draw them; data has its own, so that a policy can tell it from pods.

    `services` is Kubernetes' own range, which no packet outside a node carries; `vpn_clients` is the range that the
    VPN server gives to laptops and translates to its own address.
    """

    vpc: IPv4Network
    services: IPv4Network
    public: tuple[IPv4Network, ...]
    private: tuple[IPv4Network, ...]
    data: tuple[IPv4Network, ...]
    vpn_clients: IPv4Network

    def tier(self, name: Tier) -> tuple[IPv4Network, ...]:
        """The ranges of a tier, one a zone."""
        ranges: tuple[IPv4Network, ...] = getattr(self, name)
        return ranges

    def summary(self, name: Tier) -> tuple[IPv4Network, ...]:
        """A tier's ranges in as few as there can be, covering nothing else.

        >>> [str(one) for one in NETWORK.summary("private")]
        ['10.0.11.0/24', '10.0.12.0/23']
        """
        return tuple(collapse_addresses(self.tier(name)))

    @property
    def resolver(self) -> str:
        """The VPC's DNS server, at the range's base plus two (VPC user guide, "Amazon DNS server")."""
        return str(self.vpc.network_address + 2)


def check(network: Network) -> None:
    """Refuses ranges that nothing can be built from.

    Raises:
        RuleError: its one line names the field, `network.private[1]`, and the rule.
    """
    demand(
        16 <= network.vpc.prefixlen <= 28,
        "network.vpc",
        network.vpc,
        "must be from /16 to /28, the sizes that a VPC can have",
    )
    demand(network.vpc.is_private, "network.vpc", network.vpc, "must be a private range (RFC 1918)")
    for name in TIERS:
        ranges = network.tier(name)
        demand(len(ranges) == ZONES, f"network.{name}", len(ranges), f"must be {ZONES} ranges, one a zone")
        for index, one in enumerate(ranges):
            setting = f"network.{name}[{index}]"
            demand(one.prefixlen == SUBNET_PREFIX, setting, one, f"must be a /{SUBNET_PREFIX}")
            demand(one.subnet_of(network.vpc), setting, one, f"is outside the VPC {network.vpc}")
    _apart([(f"network.{name}[{index}]", one) for name in TIERS for index, one in enumerate(network.tier(name))])
    demand(
        12 <= network.services.prefixlen <= 24,
        "network.services",
        network.services,
        "must be from /12 to /24, the sizes that EKS takes",
    )
    demand(network.services.is_private, "network.services", network.services, "must be a private range (RFC 1918)")
    for setting, one in (("network.vpc", network.vpc), ("network.services", network.services)):
        demand(
            any(one.subnet_of(private) for private in PRIVATE_RANGES),
            setting,
            one,
            "must lie in one of PRIVATE_RANGES, which policies take out of the internet",
        )
    _apart(
        [
            ("network.vpc", network.vpc),
            ("network.services", network.services),
            ("network.vpn_clients", network.vpn_clients),
        ]
    )


def _apart(ranges: Sequence[tuple[str, IPv4Network]]) -> None:
    for index, (setting, one) in enumerate(ranges):
        for other, another in ranges[:index]:
            demand(not one.overlaps(another), setting, one, f"overlaps {other}, which is {another}")


def _subnets(first: int) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(f"10.0.{first + zone}.0/24") for zone in range(3))


NETWORK = Network(
    vpc=IPv4Network("10.0.0.0/16"),
    services=IPv4Network("172.20.0.0/16"),
    vpn_clients=IPv4Network("172.27.224.0/20"),
    public=_subnets(1),
    private=_subnets(11),
    data=_subnets(21),
)
PRIVATE_RANGES = tuple(
    IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")
)
"""What is never the internet: RFC 1918, carriers' (RFC 6598), which EKS clusters take when a VPC runs out of addresses,
and link-local (RFC 3927)."""
INSTANCE_METADATA = IPv4Network("169.254.169.254/32")
"""Gives whoever asks the node's own role (EC2 user guide, "Instance metadata service")."""
POD_IDENTITY_AGENT = IPv4Network("169.254.170.23/32")
"""Gives a pod the role of its own service account (EKS user guide, "EKS Pod Identity")."""
KUBERNETES_API = IPv4Network(f"{NETWORK.services[1]}/32")
"""The Service `kubernetes`: the first address of the services' range. The control plane's own interfaces stand in the
private subnets."""
DNS_PORT = 53
POSTGRES_PORT = 5432
REDIS_PORT = 6379
EFS_PORT = 2049
HTTPS_PORT = 443
HTTP_PORT = 80
VPN_PORTS = (("tcp", HTTPS_PORT), ("udp", 1194))
"""OpenVPN's own defaults: the tunnel over UDP, over TCP where a network lets only TLS pass, and the sign-in page."""
EPHEMERAL = (1024, 65535)
"""What NAT gateways, load balancers and Lambda take for the near end of a connection (VPC user guide, "Custom network
ACLs"); nodes and laptops take from within it."""
INTERFACE_ENDPOINTS = ("ecr.api", "ecr.dkr", "sts", "secretsmanager", "logs")
FLOW_LOG_GROUP = "/pingvas/vpc/flows"
FLOW_LOG_DAYS = 90
"""As long as the cluster's audit log: the two are read together."""
FLOW_LOG_SECONDS = 600
"""A record covers up to ten minutes; of one minute there would be more records for the same traffic."""
VPN_HOST = f"vpn.{PROD.host}"
CERTIFICATE_AUTHORITIES = {PROD.host: "amazon.com", VPN_HOST: "letsencrypt.org"}
"""Who may issue certificates for a name and below it (CAA, RFC 8659): ACM, and Let's Encrypt for the VPN's page,
since a certificate of ACM cannot be taken to a server of one's own.
"""
