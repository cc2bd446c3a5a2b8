"""Dashboard, alarms, topics, budgets and the daily cost report."""

from constructs import Construct

from stacks.cluster import ClusterStack
from stacks.components.stack import PlatformStack
from stacks.data import DataStack
from stacks.edge import EdgeStack
from stacks.ingress import IngressStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import StorageStack


class ObservabilityStack(PlatformStack):
    """Dashboard, alarms, topics, budgets and the daily cost report."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        network: NetworkStack,
        security: SecurityStack,
        storage: StorageStack,
        data: DataStack,
        cluster: ClusterStack,
        ingress: IngressStack,
        edge: EdgeStack,
    ) -> None:
        super().__init__(scope, "Observability", settings=settings, description="dashboard, alarms, budgets")
