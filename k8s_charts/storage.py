"""platform/storage: storage classes, and the shared file system as volumes and claims of each environment."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
