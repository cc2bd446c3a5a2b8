"""The VPC: ranges and subnets, a /24 a tier and availability zone."""

from dataclasses import dataclass
from ipaddress import IPv4Network


@dataclass(frozen=True, slots=True)
class Network:
    """Ranges as the documents draw them; data has its own, so that a policy can tell it from pods."""

    vpc: IPv4Network
    services: IPv4Network
    public: tuple[IPv4Network, ...]
    private: tuple[IPv4Network, ...]
    data: tuple[IPv4Network, ...]


def _subnets(first: int) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(f"10.0.{first + zone}.0/24") for zone in range(3))


NETWORK = Network(
    vpc=IPv4Network("10.0.0.0/16"),
    services=IPv4Network("172.20.0.0/16"),
    public=_subnets(1),
    private=_subnets(11),
    data=_subnets(21),
)
POSTGRES_PORT = 5432
REDIS_PORT = 6379
EFS_PORT = 2049
