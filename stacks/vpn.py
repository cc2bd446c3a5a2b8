"""The OpenVPN instance."""

from constructs import Construct

from stacks.components.stack import PlatformStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings


class VpnStack(PlatformStack):
    """The OpenVPN instance."""

    def __init__(self, scope: Construct, *, settings: Settings, network: NetworkStack, security: SecurityStack) -> None:
        super().__init__(scope, "Vpn", settings=settings, description="OpenVPN")
