"""platform/nvidia: the device plugin, which tells Kubernetes of a node's GPU."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
