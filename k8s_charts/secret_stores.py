"""platform/secret-stores: External Secrets' stores, one an environment, each with a role of its own."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
