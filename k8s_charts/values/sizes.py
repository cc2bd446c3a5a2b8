"""Pods with something beside their main container: the requests of `blueprint.components`, divided; and their place."""

from dataclasses import dataclass

from blueprint.cluster import SYSTEM
from blueprint.components import COMPONENTS
from blueprint.pools import GENERAL, GPU
from k8s_charts.components.helm import Values, container_security
from k8s_charts.components.pods import cores, mebibytes


@dataclass(frozen=True, slots=True)
class Beside:
    """A container beside another, part of the pod's figures. CPU in cores, memory in MiB."""

    cpu: float
    memory_mib: int
    limit_mib: int

    def resources(self) -> Values:
        """Its requests and its limit."""
        return _resources(self.cpu, self.memory_mib, self.limit_mib)


RELOADER = Beside(0.01, 32, 64)
"""Of Prometheus and Alertmanager: writes their configuration anew."""
MEMORY_FOLDER = "/dev/shm"  # noqa: S108 (in the container)
"""Where a container whose root is read-only may write its temporary files: the runtime mounts it for every pod, so no
chart can mount it too."""
SIDECAR = Beside(0.025, 96, 160)
"""Of Grafana, twice: dashboards and data sources out of ConfigMaps."""


def rest(component: str, *beside: Beside) -> Values:
    """Requests and limit of a pod's main container: the pod's, less what stands beside it.

    Raises:
        ValueError: nothing limits the component.
    """
    of = COMPONENTS[component]
    if of.memory_limit_mib is None:
        raise ValueError(f"{component} has no limit to divide")
    return _resources(
        of.cpu - sum(one.cpu for one in beside),
        of.memory_mib - sum(one.memory_mib for one in beside),
        of.memory_limit_mib - sum(one.limit_mib for one in beside),
    )


def placed(component: str) -> Values:
    """Node selector, tolerations and priority class, as these charts name them."""
    of = COMPONENTS[component]
    chosen = {
        "system": dict([SYSTEM.label]),
        "general": dict(GENERAL.labels),
        "gpu": dict(GPU.labels),
        "every": {"kubernetes.io/os": "linux"},
    }
    tolerated: dict[str, list[Values]] = {
        "gpu": [{"key": one.key, "operator": "Exists", "effect": one.effect} for one in GPU.taints],
        "every": [{"operator": "Exists"}],
    }
    return {
        "nodeSelector": chosen[of.place],
        "tolerations": tolerated.get(of.place, []),
        "priorityClassName": of.priority_class,
    }


def reads_the_node() -> Values:
    """Of a container that must read root's files of its node: root without root's other powers."""
    return {**container_security(), "runAsNonRoot": False, "runAsUser": 0}


def _resources(cpu: float, memory: float, limit: float) -> Values:
    return {
        "requests": {"cpu": cores(round(cpu, 3)), "memory": mebibytes(memory)},
        "limits": {"memory": mebibytes(limit)},
    }
