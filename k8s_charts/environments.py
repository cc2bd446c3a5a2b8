"""environments/<env>: quota, limits and network policies of one environment's namespace."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
