"""argocd/ and bootstrap/: projects, applications and the one that brings up all others."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
