"""What CloudFront wants in us-east-1: the Web ACL and the viewer certificate."""

from constructs import Construct

from stacks.components.stack import PlatformStack
from stacks.dns import DnsStack
from stacks.settings import Settings


class EdgeGlobalStack(PlatformStack):
    """What CloudFront wants in us-east-1: the Web ACL and the viewer certificate."""

    def __init__(self, scope: Construct, *, settings: Settings, dns: DnsStack) -> None:
        super().__init__(scope, "EdgeGlobal", settings=settings, description="Web ACL and viewer certificate")
