"""EKS, its nodes and add-ons, Karpenter's AWS side, and a role a workload."""

from constructs import Construct

from stacks.components.stack import PlatformStack
from stacks.data import DataStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import StorageStack


class ClusterStack(PlatformStack):
    """EKS, its nodes and add-ons, Karpenter's AWS side, and a role a workload."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        network: NetworkStack,
        security: SecurityStack,
        storage: StorageStack,
        data: DataStack,
    ) -> None:
        super().__init__(scope, "Cluster", settings=settings, description="EKS, Karpenter, workload roles")
