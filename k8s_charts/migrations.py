"""base/migrations, overlays/<env>/migrations: the Job that brings a schema up to date before a rollout."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
