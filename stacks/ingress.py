"""The load balancer, its certificate, rules and ten target groups."""

from constructs import Construct

from stacks.components.stack import PlatformStack
from stacks.dns import DnsStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import StorageStack


class IngressStack(PlatformStack):
    """The load balancer, its certificate, rules and ten target groups."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        network: NetworkStack,
        dns: DnsStack,
        security: SecurityStack,
        storage: StorageStack,
    ) -> None:
        super().__init__(scope, "Ingress", settings=settings, description="load balancer and target groups")
