"""Aurora, ElastiCache, EFS and their backups."""

from constructs import Construct

from stacks.components.stack import PlatformStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings


class DataStack(PlatformStack):
    """Aurora, ElastiCache, EFS and their backups."""

    def __init__(self, scope: Construct, *, settings: Settings, network: NetworkStack, security: SecurityStack) -> None:
        super().__init__(scope, "Data", settings=settings, description="Aurora, Redis, EFS, backups")
