"""addons/<name>: values of the Helm charts that ArgoCD installs."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
