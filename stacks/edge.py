"""A CloudFront distribution an environment, and the names that lead to it."""

from constructs import Construct

from stacks.components.stack import PlatformStack
from stacks.dns import DnsStack
from stacks.edge_global import EdgeGlobalStack
from stacks.ingress import IngressStack
from stacks.security import SecurityStack
from stacks.settings import Settings


class EdgeStack(PlatformStack):
    """A CloudFront distribution an environment, and the names that lead to it."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        dns: DnsStack,
        security: SecurityStack,
        ingress: IngressStack,
        edge_global: EdgeGlobalStack,
    ) -> None:
        super().__init__(scope, "Edge", settings=settings, description="CloudFront distributions")
