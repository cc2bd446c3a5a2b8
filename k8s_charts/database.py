"""platform/database: the Job that makes schemas and roles with the master's secret."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
