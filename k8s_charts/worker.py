"""base/gpu-worker, overlays/<env>/gpu-worker: the GPU worker and what scales it."""

from k8s_charts.folder import GitOps


def add(app: GitOps) -> None:
    """Adds the folders."""
