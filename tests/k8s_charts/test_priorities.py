"""Whose pods make room for whose, and that nobody takes a priority that is not theirs."""

from copy import deepcopy
from typing import Any

import pytest

from tests.support.manifests import Manifests
from tests.support.quotas import Namespace, RefusedError

POD: dict[str, Any] = {
    "metadata": {"name": "one"},
    "spec": {"containers": [{"name": "one", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]},
}


def values(manifests: Manifests) -> dict[str, int]:
    return {one.name: one.body["value"] for one in manifests.of("PriorityClass")}


def pod(priority: str) -> dict[str, Any]:
    made = deepcopy(POD)
    made["spec"]["priorityClassName"] = priority
    return made


def test_the_designs_two_classes_have_its_values(manifests: Manifests) -> None:
    found = values(manifests)
    assert found["dev-low"] == 100_000
    assert found["prod-high"] == 1_000_000


def test_prod_takes_the_last_gpu_from_dev_and_nobody_takes_the_platforms_place(manifests: Manifests) -> None:
    found = values(manifests)
    assert 0 < found["dev-low"] < found["prod-high"] < found["platform-critical"] < 1_000_000_000
    for one in manifests.of("PriorityClass"):
        assert one.body.get("preemptionPolicy", "PreemptLowerPriority") == "PreemptLowerPriority", one.name


def test_no_class_is_anybodys_by_default(manifests: Manifests) -> None:
    assert not any(one.body.get("globalDefault") for one in manifests.of("PriorityClass"))


@pytest.mark.parametrize(("namespace", "own"), [("dev", "dev-low"), ("prod", "prod-high")])
def test_a_quota_refuses_every_class_but_the_environments_own(manifests: Manifests, namespace: str, own: str) -> None:
    Namespace(manifests, namespace).admit(pod(own))
    everybody = {*values(manifests), "system-cluster-critical", "system-node-critical"}
    for other in everybody - {own}:
        with pytest.raises(RefusedError, match="foreign-priorities: pods is used up, 0"):
            Namespace(manifests, namespace).admit(pod(other))


def test_every_class_that_a_pod_names_exists(manifests: Manifests) -> None:
    known = {*values(manifests), "system-cluster-critical", "system-node-critical"}
    for one in manifests.all():
        if one.pod and "priorityClassName" in one.pod["spec"]:
            name = one.pod["spec"]["priorityClassName"]
            assert name in known, str(one)
            assert not name.startswith("system-") or one.namespace == "kube-system", str(one)
