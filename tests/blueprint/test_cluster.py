"""The rules between the cluster's numbers: each refuses what breaks it, by the name of the number."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from blueprint.cluster import SYSTEM, check
from blueprint.environments import CLUSTER_ENVIRONMENTS, DEV, PROD, Quota, Replicas
from blueprint.maxima import workers_maximum
from blueprint.pools import GENERAL, GPU, POOLS, gpu_pool
from blueprint.rules import RuleError
from blueprint.service_quotas import service_quotas
from blueprint.worker import WORKER


def test_the_numbers_as_they_are_hold() -> None:
    check()


@pytest.mark.parametrize(
    ("broken", "named", "says"),
    [
        (lambda: check(system=replace(SYSTEM, minimum=1)), "cluster.system.minimum", "2 or more"),
        (lambda: check(system=replace(SYSTEM, desired=6)), "cluster.system.desired", "to the maximum, 5"),
        (lambda: check(system=replace(SYSTEM, desired=1)), "cluster.system.desired", "from the minimum, 2"),
        (lambda: check(gpu=gpu_pool(0)), "cluster.gpu-workers.gpu", "1 or more"),
        (lambda: check(general=replace(GENERAL, cpu=1)), "cluster.general.cpu", "smallest node"),
        (lambda: check(general=replace(GENERAL, memory_gib=7)), "cluster.general.memory_gib", "smallest node"),
        (lambda: check(environments=[_quota(PROD, gpu=14)]), "environments.prod.quota.gpu", "15 workers"),
        (lambda: check(environments=[_quota(PROD, cpu=49)]), "environments.prod.quota.cpu", "50 cores"),
        (lambda: check(environments=[_quota(PROD, memory_gib=199)]), "environments.prod.quota.memory_gib", "200 GiB"),
        (lambda: check(environments=[_quota(DEV, pods=38)]), "environments.dev.quota.pods", "39 pods"),
        (lambda: check(environments=[replace(DEV, quota=None)]), "environments.dev.quota", "has a quota"),
        (lambda: check(environments=[replace(DEV, workers=Replicas(0, 0))]), "environments.dev.workers.maximum", ""),
    ],
)
def test_a_number_that_cannot_be_is_refused_by_its_name(broken: Callable[[], None], named: str, says: str) -> None:
    with pytest.raises(RuleError) as raised:
        broken()
    assert raised.value.setting == named
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def _quota(environment: object, **numbers: int) -> object:
    assert environment in CLUSTER_ENVIRONMENTS
    return replace(environment, quota=replace(environment.quota, **numbers))  # type: ignore[attr-defined, type-var]


def test_a_rollout_of_prod_at_its_maxima_fits_its_quota_exactly() -> None:
    """49.5 cores and 199.5 GiB, and half of each for the migration, as the platform's document computes it."""
    assert PROD.quota == Quota(cpu=50, memory_gib=200, gpu=15, pods=200)
    with pytest.raises(RuleError, match="50 cores"):
        check(environments=[_quota(PROD, cpu=49)])  # type: ignore[list-item]


def test_no_environment_asks_for_more_gpus_than_the_pool_has() -> None:
    assert {one.name: workers_maximum(one) for one in CLUSTER_ENVIRONMENTS} == {"dev": 3, "prod": 10}
    assert workers_maximum(PROD, gpu_pool(20)) == 15, "then the namespace's quota holds"
    assert workers_maximum(PROD, gpu_pool(1)) == 1


def test_one_number_raises_the_gpu_pool() -> None:
    assert (gpu_pool(20).gpu, gpu_pool(20).cpu, gpu_pool(20).memory_gib) == (20, 160, 640)
    largest = max(GPU.types, key=lambda one: one.cpu)
    for gpus in (1, 10, 13, 40):
        pool = gpu_pool(gpus)
        assert pool.cpu >= gpus * largest.cpu
        assert pool.memory_gib >= gpus * largest.memory_gib


def test_a_worker_that_is_busy_is_left_alone() -> None:
    assert GPU.grace_seconds == WORKER.grace_seconds
    assert GPU.drift_budget == "0"
    assert GPU.expires_hours is None


def test_every_gpu_type_holds_one_worker() -> None:
    for one in GPU.types:
        assert one.gpu == WORKER.gpu
        assert one.cpu > WORKER.cpu
        assert one.memory_gib > WORKER.memory_gib


def test_the_quotas_of_the_account_follow_the_pools() -> None:
    needed = {one.code: one.needed for one in service_quotas()}
    assert needed == {"L-3819A6DF": 80, "L-34B43A08": 74}
    more = {one.code: one.needed for one in service_quotas(gpu=gpu_pool(20), general=replace(GENERAL, cpu=100))}
    assert more == {"L-3819A6DF": 160, "L-34B43A08": 122}
    assert all(one.service == "ec2" for one in service_quotas())


def test_pools_have_different_names_and_types() -> None:
    names = [pool.name for pool in POOLS]
    assert names == ["gpu-workers", "general"]
    types = [one.name for pool in POOLS for one in pool.types]
    assert len(set(types)) == len(types)
