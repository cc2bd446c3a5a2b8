"""The alternative edge and cache inside the cluster, off by default: ingress-nginx, Redis, Sentinel."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
