"""platform/network: policies of the shared namespaces; `environment` adds those of dev and prod."""

from blueprint.environments import Environment
from k8s_charts.folder import Folder, GitOps


def add(app: GitOps) -> None:
    """The policies of the shared namespaces."""


def environment(folder: Folder, environment: Environment) -> None:
    """The policies of one environment's namespace."""
