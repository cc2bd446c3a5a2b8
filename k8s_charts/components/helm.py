"""What Helm values of several charts say alike: sizes out of the blueprint, where pods run, with how few rights.

Values are plain data, since each chart names the same things in its own place.
"""

from typing import Any

from blueprint.cluster import SYSTEM
from blueprint.components import COMPONENTS, Place
from blueprint.pools import GENERAL
from k8s_charts.components.pods import cores, mebibytes

Values = dict[str, Any]


def resources(component: str) -> Values:
    """Requests and the memory limit of a component; no CPU limit, which would slow a controller while cores are idle.

    >>> resources("argocd-redis")["limits"]
    {'memory': '128Mi'}
    """
    of = COMPONENTS[component]
    limits = {"limits": {"memory": mebibytes(of.memory_limit_mib)}} if of.memory_limit_mib else {}
    return {"requests": {"cpu": cores(of.cpu), "memory": mebibytes(of.memory_mib)}, **limits}


def selector(component: str) -> dict[str, str]:
    """The nodes that a component's pods choose; none for what runs everywhere."""
    chosen: dict[Place, dict[str, str]] = {"system": dict([SYSTEM.label]), "general": dict(GENERAL.labels)}
    return chosen.get(COMPONENTS[component].place, {})


def container_security(*, uid: int | None = None) -> Values:
    """The `restricted` Pod Security profile of a container, and a root that it cannot write."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        **({"runAsUser": uid} if uid else {}),
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod_security(*, uid: int | None = None) -> Values:
    """The same of a pod, with a group for its volumes where it has a user."""
    user = {"runAsUser": uid, "runAsGroup": uid, "fsGroup": uid} if uid else {}
    return {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}}


def spread(labels: dict[str, str]) -> list[Values]:
    """Replicas in several zones where nodes are there to choose from; Spot may leave all of them in one."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels},
        }
    ]
