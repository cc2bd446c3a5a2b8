"""What LimitRanges give a pod and whether ResourceQuotas admit it, one pod after another.

It follows the Kubernetes documentation, "Limit Ranges", "Resource Quotas" and, for a pod's own sum, "Sidecar
Containers" (init containers run one by one, those that restart always run beside all others).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from fractions import Fraction
from math import ceil
from typing import Any

from tests.support.manifests import Manifests, Object

SUFFIXES = {
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
}


class RefusedError(Exception):
    """The API server would not take the pod."""


def quantity(text: str | int | float) -> Fraction:
    """A Kubernetes quantity.

    >>> quantity("250m"), quantity("1Ki"), quantity(2)
    (Fraction(1, 4), Fraction(1024, 1), Fraction(2, 1))
    """
    value = str(text)
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if value.endswith(suffix):
            return Fraction(value.removesuffix(suffix)) * SUFFIXES[suffix]
    return Fraction(value)


class Namespace:
    """One namespace's LimitRanges and ResourceQuotas, and what its pods use of them so far."""

    def __init__(self, manifests: Manifests, name: str) -> None:
        self.limits = [
            item for one in manifests.of("LimitRange", namespace=name) for item in one.body["spec"]["limits"]
        ]
        self.quotas = {one.name: one.body["spec"] for one in manifests.of("ResourceQuota", namespace=name)}
        self.used: dict[str, Counter[str]] = {one: Counter() for one in self.quotas}

    def admit(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        """The pod with its defaults; it counts from now on.

        Raises:
            RefusedError: a limit or a quota is exceeded; the message says which.
        """
        given = deepcopy(dict(pod))
        for container in _all(given["spec"]):
            self._default(container)
        asked = {"pods": Fraction(1), **{f"requests.{name}": value for name, value in total(given["spec"]).items()}}
        counted: list[tuple[Counter[str], str, Fraction]] = []
        for name, quota in self.quotas.items():
            if not _scoped(quota, given["spec"]):
                continue
            for resource, hard in quota["hard"].items():
                if resource.startswith("services."):
                    continue
                if resource.startswith("requests.") and resource not in asked and "gpu" not in resource:
                    raise RefusedError(f"{name}: the pod asks for no {resource}")
                more = asked.get(resource, Fraction(0))
                if self.used[name][resource] + more > quantity(hard):
                    raise RefusedError(f"{name}: {resource} is used up, {hard}")
                counted.append((self.used[name], resource, more))
        for counter, resource, more in counted:
            counter[resource] += more  # type: ignore[assignment]
        return given

    def _default(self, container: dict[str, Any]) -> None:
        resources = container.setdefault("resources", {})
        requests, limits = resources.setdefault("requests", {}), resources.setdefault("limits", {})
        for item in self.limits:
            assert item["type"] == "Container"
            # What has a maximum and no default has the maximum for default, as the API server completes a LimitRange.
            defaults = {**item.get("max", {}), **item.get("default", {})}
            named = set(limits)
            limits.update({name: value for name, value in defaults.items() if name not in limits})
            requests.update({name: limits[name] for name in named if name not in requests})
            given = item.get("defaultRequest", {})
            requests.update({name: value for name, value in given.items() if name not in requests})
            for name, value in item.get("max", {}).items():
                if quantity(limits[name]) > quantity(value):
                    raise RefusedError(f"{container['name']}: {name} is above {value}")
        for name, value in limits.items():
            requests.setdefault(name, value)
            if quantity(requests[name]) > quantity(value):
                raise RefusedError(f"{container['name']}: asks for more {name} than its limit")


def _all(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def total(spec: Mapping[str, Any]) -> dict[str, Fraction]:
    """What a pod asks for by its requests."""

    def asked(container: Mapping[str, Any], name: str) -> Fraction:
        return quantity(container.get("resources", {}).get("requests", {}).get(name, 0))

    names = {name for one in _all(spec) for name in one.get("resources", {}).get("requests", {})}
    result = {}
    for name in names:
        beside, most = Fraction(0), Fraction(0)
        for one in spec.get("initContainers", []):
            if one.get("restartPolicy") == "Always":
                beside += asked(one, name)
                most = max(most, beside)
            else:
                most = max(most, beside + asked(one, name))
        result[name] = max(most, beside + sum(asked(one, name) for one in spec["containers"]))
    return result


def _scoped(quota: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    """Whether a quota counts this pod."""
    for one in quota.get("scopeSelector", {}).get("matchExpressions", []):
        assert (one["scopeName"], one["operator"]) == ("PriorityClass", "In")
        if spec.get("priorityClassName") not in one["values"]:
            return False
    return True


def most_pods(objects: Sequence[Object]) -> Iterator[tuple[Object, int]]:
    """Every workload of a namespace with the most pods that it has at one time, in the midst of a rollout."""
    bounds: dict[str, int] = {}
    for one in objects:
        if one.kind == "HorizontalPodAutoscaler":
            bounds[one.body["spec"]["scaleTargetRef"]["name"]] = one.body["spec"]["maxReplicas"]
        if one.kind == "ScaledObject":
            bounds[one.body["spec"]["scaleTargetRef"]["name"]] = one.body["spec"]["maxReplicaCount"]
    for one in objects:
        spec = one.body.get("spec", {})
        if one.kind == "Deployment":
            replicas = bounds.get(one.name, spec.get("replicas", 1))
            surge = spec.get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", "25%")
            more = ceil(replicas * int(str(surge).rstrip("%")) / 100) if str(surge).endswith("%") else int(surge)
            yield one, replicas + more
        elif one.kind in ("Job", "StatefulSet"):
            yield one, spec.get("parallelism" if one.kind == "Job" else "replicas", 1)
