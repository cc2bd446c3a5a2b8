"""base/<service>, overlays/<env>/<service>: the five services."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
