"""platform/cluster: namespaces with Pod Security, priority classes, rules of admission, who may read what."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
