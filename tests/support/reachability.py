"""A cluster of the blueprint's apps without their manifests, for questions about policies alone."""

from collections.abc import Iterable, Mapping
from typing import Any

from studio.cloud.reachability.estate import Estate, Pod


def policy(
    namespace: str,
    name: str = "one",
    *,
    pods: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A NetworkPolicy; `pods` is its podSelector, all by default."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": pods or {}, **spec},
    }


def cluster(policies: Iterable[dict[str, Any]], *pods: Pod, labels: Mapping[str, Mapping[str, str]] = {}) -> Estate:
    """An estate of these pods; `labels` are of namespaces, beside the one that each has."""
    names = {one.namespace for one in pods}
    namespaces = {name: {**labels.get(name, {}), "kubernetes.io/metadata.name": name} for name in names}
    return Estate(pods, namespaces, tuple(policies))
