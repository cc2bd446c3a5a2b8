"""What is paid for: counts and sizes, each taken from the part of the blueprint that decides it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from types import MappingProxyType

from blueprint.cluster import SYSTEM, SystemNodes
from blueprint.data import AURORA, CACHE_ENGINE, CACHES, Aurora, Cache
from blueprint.edge import WAF
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.instances import Architecture
from blueprint.network import NETWORK
from blueprint.pools import GENERAL, GPU, Pool
from blueprint.secrets import SECRETS
from blueprint.services import SERVICES, Service
from blueprint.vpn import VPN

KMS_KEYS = MappingProxyType({"Security": 5, "Network": 1, "Observability": 1, "EdgeGlobal": 1})
"""Customer-managed keys by stack; a test counts them in the templates."""
ENDPOINT_SERVICES = 5
"""Behind the setting interface_endpoints: ecr.api, ecr.dkr, sts, secretsmanager, logs; one address a zone each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Everything that `blueprint.cost.estimate` multiplies by a price; `dataclasses.replace` asks "what if"."""

    aurora: Aurora = AURORA
    caches: Mapping[str, Cache] = field(default_factory=lambda: CACHES)
    cache_engine: str = CACHE_ENGINE.name
    system: SystemNodes = SYSTEM
    architecture: Architecture = "x86_64"
    gpu: Pool = GPU
    general: Pool = GENERAL
    environments: tuple[Environment, ...] = CLUSTER_ENVIRONMENTS
    services: Mapping[str, Service] = field(default_factory=lambda: SERVICES)
    zones: int = len(NETWORK.public)
    nat_gateways: int = 1
    interface_endpoints: bool = False
    secrets: int = len(SECRETS)
    managed_secrets: int = 1
    """Secrets that AWS makes by itself and bills all the same: Aurora's master."""
    waf_rules: int = len(WAF.order)
    kms_keys: Mapping[str, int] = field(default_factory=lambda: KMS_KEYS)
    alarm_metrics: int = 89
    """Metrics that CloudWatch's alarms watch, each of which is billed; in us-east-1, elsewhere the alarms of global
    services are fewer. A test counts them in the templates."""
    vpn_instance: str = VPN.instance_type
    vpn_disk_gib: int = VPN.volume_gib

    @property
    def public_addresses(self) -> int:
        """Public IPv4 addresses: one a NAT gateway, one a zone of the load balancer, the VPN's."""
        return self.nat_gateways + self.zones + 1

    @property
    def general_nodes(self) -> int:
        """Nodes that Karpenter makes for the services at their fewest replicas, as the smallest type has cores.

        A tenth of a node is the system's own. The system nodes hold the controllers, and little else.
        """
        cores = sum(
            Decimal(str(service.cpu_request)) * environment.replicas.minimum
            for environment in self.environments
            for service in self.services.values()
        )
        usable = Decimal(min(one.cpu for one in self.general.types)) * Decimal("0.9")
        return ceil(cores / usable)


PLATFORM = Platform()
