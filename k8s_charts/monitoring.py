"""platform/monitoring: what is scraped, rules and dashboards."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
