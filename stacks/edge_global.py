"""What CloudFront wants in us-east-1: the Web ACL and the viewer certificate."""

from constructs import Construct

from stacks.components.certificate import certificate
from stacks.components.stack import PlatformStack
from stacks.components.waf import WebAcl
from stacks.dns import DnsStack
from stacks.settings import Settings


class EdgeGlobalStack(PlatformStack):
    """`certificate` of both hosts, and `web_acl` of both distributions."""

    def __init__(self, scope: Construct, *, settings: Settings, dns: DnsStack) -> None:
        super().__init__(
            scope,
            "EdgeGlobal",
            settings=settings,
            description="Web ACL and viewer certificate",
            region=settings.global_region,
        )
        self.certificate = certificate(self, dns=dns)
        self.web_acl = WebAcl(self, "WebAcl").acl
