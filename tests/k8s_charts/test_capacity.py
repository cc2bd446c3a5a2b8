"""What the proof counted is what the manifests ask for: every workload is known to it, with the same requests."""

from fractions import Fraction
from typing import Any

import pytest

from blueprint import capacity
from blueprint.components import COMPONENTS, Component
from blueprint.loads import PLAN, Load, loads
from blueprint.rules import RuleError
from k8s_charts.facts import placeholders
from k8s_charts.main import build
from tests.support.manifests import WORKLOAD_KINDS, Manifests, Object

SUFFIXES = {"m": Fraction(1, 1000), "Ki": Fraction(1, 1024), "Mi": Fraction(1), "Gi": Fraction(1024)}


def quantity(text: str) -> Fraction:
    """Cores, or MiB where a suffix of bytes stands."""
    for suffix, factor in SUFFIXES.items():
        if text.endswith(suffix):
            return Fraction(text.removesuffix(suffix)) * factor
    return Fraction(text)


def requests(pod: dict[str, Any]) -> tuple[Fraction, Fraction, int]:
    """CPU in cores, memory in MiB and GPUs of a pod: of its containers together, or of an init container if more."""
    sums = [Fraction(0), Fraction(0), Fraction(0)]
    for container in pod["spec"]["containers"]:
        sums = [one + two for one, two in zip(sums, _of(container), strict=True)]
    for container in pod["spec"].get("initContainers", []):
        sums = [max(one, two) for one, two in zip(sums, _of(container), strict=True)]
    return sums[0], sums[1], int(sums[2])


def _of(container: dict[str, Any]) -> tuple[Fraction, Fraction, Fraction]:
    asked = container["resources"]["requests"]
    return quantity(str(asked["cpu"])), quantity(str(asked["memory"])), Fraction(str(asked.get("nvidia.com/gpu", 0)))


def workloads(manifests: Manifests) -> list[Object]:
    return [one for kind in WORKLOAD_KINDS for one in manifests.of(kind)]


def known() -> dict[tuple[str | None, str], Load | Component]:
    applications: dict[tuple[str | None, str], Load | Component] = {(one.namespace, one.name): one for one in loads()}
    return applications | {(one.namespace, one.name): one for one in COMPONENTS.values()}


def test_every_workload_of_the_manifests_is_known_to_the_proof(manifests: Manifests) -> None:
    unknown = [str(one) for one in workloads(manifests) if (one.namespace, one.name) not in known()]
    assert not unknown, f"blueprint/loads.py or blueprint/components.py lacks {', '.join(unknown)}"


def test_every_workload_asks_for_what_the_proof_counted(manifests: Manifests) -> None:
    for one in workloads(manifests):
        counted = known()[one.namespace, one.name]
        pod = one.pod
        assert pod is not None
        cpu, memory, gpu = requests(pod)
        if isinstance(counted, Load):
            assert (cpu * 1000, memory, gpu) == (counted.asks.cpu, counted.asks.memory, counted.asks.gpu), str(one)
        else:
            assert (cpu, memory) == (Fraction(str(counted.cpu)), counted.memory_mib), str(one)


def test_workloads_run_where_the_proof_counted_them(manifests: Manifests) -> None:
    labels = {
        "gpu": dict(PLAN.gpu.labels),
        "system": dict([PLAN.system.label]),
    }
    for one in workloads(manifests):
        pod = one.pod
        assert pod is not None
        place = known()[one.namespace, one.name].place
        selector = pod["spec"].get("nodeSelector", {})
        assert labels.get(place, {}).items() <= selector.items(), f"{one} must select {labels[place]}"
        if place == "general":
            assert "workload-type" not in selector or selector["workload-type"] == "general", str(one)


def test_autoscalers_end_at_the_maxima_that_the_proof_counted(manifests: Manifests) -> None:
    for one in manifests.of("HorizontalPodAutoscaler"):
        environment = next(each for each in PLAN.environments if each.namespace == one.namespace)
        assert one.body["spec"]["maxReplicas"] == environment.replicas.maximum, str(one)
    for one in manifests.of("ScaledObject"):
        counted = next(each for each in loads() if (each.namespace, each.name) == (one.namespace, "gpu-worker"))
        assert one.body["spec"]["maxReplicaCount"] == counted.count, str(one)


def test_pools_have_the_limits_that_the_proof_counted(manifests: Manifests) -> None:
    for pool in (PLAN.gpu, PLAN.general):
        for one in manifests.of("NodePool", name=pool.name):
            limits = one.body["spec"]["limits"]
            assert quantity(str(limits["cpu"])) == pool.cpu
            assert quantity(str(limits["memory"])) == pool.memory_gib * 1024


def test_synthesis_asks_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuleError("worker.memory_gib", 15, "does not fit")

    monkeypatch.setattr(capacity, "check", refuse)
    with pytest.raises(RuleError, match=r"worker\.memory_gib = 15"):
        build(placeholders())
