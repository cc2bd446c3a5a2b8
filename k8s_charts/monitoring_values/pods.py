"""What every chart's pod is told: requests out of `blueprint.components`, a place, no more rights than it needs."""

from typing import Any

from blueprint.cluster import GENERAL, GPU
from blueprint.components import COMPONENTS

RELOADER = {"cpu": 0.01, "memory_mib": 32, "memory_limit_mib": 64}
"""Beside Prometheus and Alertmanager: writes their configuration anew. Part of their pods' figures."""
SIDECAR = {"cpu": 0.025, "memory_mib": 96, "memory_limit_mib": 160}
"""Beside Grafana, twice: dashboards and data sources out of ConfigMaps. Part of its pod's figures."""


def resources(component: str, *, beside: tuple[dict[str, float], ...] = ()) -> dict[str, Any]:
    """Requests and limit of a component's main container: the pod's, less what stands beside it. No CPU limit."""
    of = COMPONENTS[component]
    cpu = of.cpu - sum(one["cpu"] for one in beside)
    memory = of.memory_mib - sum(one["memory_mib"] for one in beside)
    limit = of.memory_limit_mib
    return _resources(cpu, memory, None if limit is None else limit - sum(one["memory_limit_mib"] for one in beside))


def small(size: dict[str, float]) -> dict[str, Any]:
    """Requests and limit of a container that stands beside another."""
    return _resources(size["cpu"], size["memory_mib"], size["memory_limit_mib"])


def _resources(cpu: float, memory: float, limit: float | None) -> dict[str, Any]:
    made: dict[str, Any] = {"requests": {"cpu": f"{round(cpu * 1000)}m", "memory": f"{round(memory)}Mi"}}
    return made | ({"limits": {"memory": f"{round(limit)}Mi"}} if limit is not None else {})


def placed(component: str) -> dict[str, Any]:
    """Node selector, tolerations and priority class, as most charts name them."""
    of = COMPONENTS[component]
    selector = {"general": dict(GENERAL.labels), "gpu": dict(GPU.labels), "every": {"kubernetes.io/os": "linux"}}
    taints = {
        "general": [],
        "gpu": [{"key": one.key, "operator": "Exists", "effect": one.effect} for one in GPU.taints],
        "every": [{"operator": "Exists"}],
    }
    return {
        "nodeSelector": selector[of.place],
        "tolerations": taints[of.place],
        "priorityClassName": of.priority_class,
    }


def container_security(*, user: int | None = None) -> dict[str, Any]:
    """As `restricted` asks; `user` 0 for what must read root's files on the node, without root's other powers."""
    made: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if user is None:
        return made | {"runAsNonRoot": True}
    return made | {"runAsUser": user, "runAsNonRoot": user != 0}


def pod_security(user: int) -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
