"""Quotas: what the design allows each environment, and that its own maxima fit, the surge of a rollout included."""

from collections import Counter
from copy import deepcopy
from fractions import Fraction
from typing import Any

import pytest

from blueprint.environments import CLUSTER_ENVIRONMENTS, ENVIRONMENTS
from blueprint.services import SERVICES
from tests.support.admission import pod_of
from tests.support.manifests import Manifests, Object
from tests.support.quotas import Namespace, RefusedError, most_pods, quantity, total

GIB = 2**30
NAMES = [one.name for one in CLUSTER_ENVIRONMENTS]


def objects(manifests: Manifests, environment: str) -> list[Object]:
    return [one for one in manifests.all() if one.namespace == environment and not one.path.startswith("in-cluster")]


def maxima(manifests: Manifests, environment: str) -> list[tuple[str, dict[str, Any], int]]:
    """Name, pod and number of every workload at its most."""
    return [(one.name, pod_of(one), count) for one, count in most_pods(objects(manifests, environment))]


def fill(namespace: Namespace, pods: list[tuple[str, dict[str, Any], int]]) -> None:
    for _, pod, count in pods:
        for _ in range(count):
            namespace.admit(pod)


def test_quotas_are_the_documents_figures_on_requests(manifests: Manifests) -> None:
    found = {env: manifests.one("ResourceQuota", "compute", namespace=env).body["spec"]["hard"] for env in NAMES}
    assert found == {
        "dev": {
            "requests.cpu": "20",
            "requests.memory": "50Gi",
            "requests.nvidia.com/gpu": "3",
            "pods": "50",
        },
        "prod": {
            "requests.cpu": "50",
            "requests.memory": "200Gi",
            "requests.nvidia.com/gpu": "15",
            "pods": "200",
        },
    }


@pytest.mark.parametrize("environment", NAMES)
def test_everything_at_its_most_is_admitted_in_the_midst_of_a_rollout(manifests: Manifests, environment: str) -> None:
    pods = maxima(manifests, environment)
    assert {name for name, _, _ in pods} == {
        *(service.title for service in SERVICES.values()),
        "gpu-worker",
        "migrations",
    }
    fill(Namespace(manifests, environment), pods)


def test_prod_with_all_its_workers_takes_the_quota_to_the_last_core(manifests: Manifests) -> None:
    """49.5 cores and 199.5Gi with 15 workers; the migration's Job is the last half of each."""
    quota = ENVIRONMENTS["prod"].quota
    assert quota is not None
    pods = [(name, pod, quota.gpu if name == "gpu-worker" else count) for name, pod, count in maxima(manifests, "prod")]
    namespace = Namespace(manifests, "prod")
    fill(namespace, [one for one in pods if one[0] != "migrations"])
    used = namespace.used["compute"]
    assert (used["requests.cpu"], used["requests.memory"] / GIB) == (Fraction("49.5"), Fraction("199.5"))
    fill(namespace, [one for one in pods if one[0] == "migrations"])
    assert used["requests.cpu"] <= 50
    assert used["requests.memory"] <= 200 * GIB


@pytest.mark.parametrize("environment", NAMES)
def test_one_worker_more_than_the_quotas_gpus_is_refused(manifests: Manifests, environment: str) -> None:
    namespace = Namespace(manifests, environment)
    worker = next(pod for name, pod, _ in maxima(manifests, environment) if name == "gpu-worker")
    gpus = int(
        manifests.one("ResourceQuota", "compute", namespace=environment).body["spec"]["hard"]["requests.nvidia.com/gpu"]
    )
    fill(namespace, [("gpu-worker", worker, gpus)])
    with pytest.raises(RefusedError, match="gpu"):
        namespace.admit(worker)


@pytest.mark.parametrize("environment", NAMES)
def test_a_container_that_says_nothing_counts_and_has_a_memory_limit_alone(
    manifests: Manifests, environment: str
) -> None:
    namespace = Namespace(manifests, environment)
    pod = namespace.admit({"metadata": {"name": "one"}, "spec": {"containers": [{"name": "one"}]}})
    resources = pod["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    assert namespace.used["compute"] == Counter(
        {"pods": 1, "requests.cpu": Fraction("0.1"), "requests.memory": 128 * 2**20, "requests.nvidia.com/gpu": 0}
    )


@pytest.mark.parametrize("environment", NAMES)
def test_no_limit_range_holds_a_cpu_back(manifests: Manifests, environment: str) -> None:
    for one in manifests.of("LimitRange", namespace=environment):
        for item in one.body["spec"]["limits"]:
            assert "cpu" not in {**item.get("default", {}), **item.get("max", {})}, str(one)


@pytest.mark.parametrize("environment", NAMES)
def test_no_container_may_have_more_memory_than_the_worker(manifests: Manifests, environment: str) -> None:
    worker = next(pod for name, pod, _ in maxima(manifests, environment) if name == "gpu-worker")
    larger = deepcopy(worker)
    larger["spec"]["containers"][0]["resources"]["limits"]["memory"] = "13Gi"
    with pytest.raises(RefusedError, match="memory is above 12Gi"):
        Namespace(manifests, environment).admit(larger)


@pytest.mark.parametrize("environment", NAMES)
def test_limits_change_nothing_of_what_our_pods_ask_for(manifests: Manifests, environment: str) -> None:
    namespace = Namespace(manifests, environment)
    for name, pod, _ in maxima(manifests, environment):
        assert total(namespace.admit(pod)["spec"]) == total(pod["spec"]), name


@pytest.mark.parametrize("environment", NAMES)
def test_nothing_but_the_load_balancer_of_the_design_opens_a_way_in(manifests: Manifests, environment: str) -> None:
    hard = manifests.one("ResourceQuota", "entries", namespace=environment).body["spec"]["hard"]
    assert {name: quantity(value) for name, value in hard.items()} == {
        "services.loadbalancers": 0,
        "services.nodeports": 0,
    }


@pytest.mark.parametrize("environment", NAMES)
def test_who_names_no_service_account_gets_no_token(manifests: Manifests, environment: str) -> None:
    account = manifests.one("ServiceAccount", "default", namespace=environment)
    assert account.body["automountServiceAccountToken"] is False
