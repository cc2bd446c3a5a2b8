"""Repositories of container images, and the role that GitHub Actions assumes."""

from constructs import Construct

from stacks.components.stack import PlatformStack
from stacks.settings import Settings


class DeliveryStack(PlatformStack):
    """Repositories of container images, and the role that GitHub Actions assumes."""

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        super().__init__(scope, "Delivery", settings=settings, description="image repositories, GitHub role")
