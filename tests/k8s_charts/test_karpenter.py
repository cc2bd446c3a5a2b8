"""Karpenter's pools: the design's numbers, who runs on their nodes, and that no work is killed."""

from typing import Any

import pytest

from blueprint.instances import INSTANCE_TYPES
from blueprint.pools import GENERAL, GPU, POOLS, Taint, gpu_pool
from blueprint.rules import RuleError
from blueprint.worker import WORKER
from k8s_charts import karpenter
from k8s_charts.components.karpenter import Budget, NodePool
from k8s_charts.facts import placeholders
from k8s_charts.folder import Folder, GitOps
from tests.support.manifests import Manifests
from tests.support.nodes import Pool, pools

SPOT_NOTICE = 120
REASONS = ("Drifted", "Empty", "Underutilized")
GPU_TYPES = {"g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge"}


@pytest.fixture(scope="module")
def found(manifests: Manifests) -> dict[str, Pool]:
    return pools(manifests)


def test_there_are_the_two_pools_of_the_design(found: dict[str, Pool]) -> None:
    assert set(found) == {"gpu-workers", "general"}
    assert {name: one.template["nodeClassRef"]["name"] for name, one in found.items()} == {
        "gpu-workers": "gpu-nodeclass",
        "general": "general-nodeclass",
    }


def test_each_pool_starts_its_types_on_spot_and_nothing_else(found: dict[str, Pool]) -> None:
    for one in POOLS:
        started = {kind.name for kind in INSTANCE_TYPES.values() if found[one.name].node(kind)}
        assert started == {kind.name for kind in one.types}
        assert not any(found[one.name].node(kind, "on-demand") for kind in INSTANCE_TYPES.values())
    assert {kind.name for kind in INSTANCE_TYPES.values() if found["gpu-workers"].node(kind)} == GPU_TYPES


def test_the_general_pool_has_both_architectures(found: dict[str, Pool]) -> None:
    kinds = [kind for kind in INSTANCE_TYPES.values() if found["general"].node(kind)]
    assert {kind.architecture for kind in kinds} == {"x86_64", "arm64"}
    assert not any(kind.gpu for kind in kinds)


def test_limits_are_the_designs(found: dict[str, Pool]) -> None:
    assert found["gpu-workers"].spec["limits"] == {"cpu": "100", "memory": "400Gi", "nvidia.com/gpu": "10"}
    assert found["general"].spec["limits"] == {"cpu": str(GENERAL.cpu), "memory": f"{GENERAL.memory_gib}Gi"}


def test_more_gpus_raise_cores_and_memory_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(karpenter, "POOLS", (gpu_pool(15), GENERAL))
    app = GitOps(placeholders())
    karpenter.add(app)
    made = {one["metadata"]["name"]: one["spec"] for one in app.folders()[0].objects()}
    assert made["gpu-workers"]["limits"] == {"cpu": "120", "memory": "480Gi", "nvidia.com/gpu": "15"}


def test_gpu_nodes_take_nobody_who_does_not_ask_for_them(found: dict[str, Pool]) -> None:
    for kind in GPU.types:
        node = found["gpu-workers"].node(kind)
        assert node is not None
        assert node.labels["workload-type"] == "gpu"
        assert not node.takes({})
        assert not node.takes({"tolerations": [{"key": "nvidia.com/gpu", "value": "false"}]})
        assert node.takes({"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]})


def test_every_pod_of_ours_finds_a_pool_and_only_gpu_pods_a_gpu_node(
    manifests: Manifests, found: dict[str, Pool]
) -> None:
    nodes = {
        (name, kind.name): node
        for name, one in found.items()
        for kind in INSTANCE_TYPES.values()
        if (node := one.node(kind))
    }
    for one in manifests.all():
        if not one.pod:
            continue
        spec = one.pod["spec"]
        homes = {pool for (pool, _), node in nodes.items() if node.takes(spec)}
        wants_gpu = any("nvidia.com/gpu" in part.get("resources", {}).get("limits", {}) for part in spec["containers"])
        if wants_gpu:
            assert homes == {"gpu-workers"}, str(one)
        elif one.kind == "DaemonSet":
            assert "gpu-workers" in homes, str(one)
        else:
            assert "gpu-workers" not in homes, str(one)
            assert homes or spec.get("nodeSelector") == {"role": "system"}, str(one)


@pytest.mark.parametrize("nodes", [1, 2, 5, 10])
def test_a_gpu_node_ends_when_it_is_idle_and_never_for_a_new_image(found: dict[str, Pool], nodes: int) -> None:
    pool = found["gpu-workers"]
    assert pool.may_end("Drifted", nodes) == 0
    assert pool.may_end("Empty", nodes) == nodes
    assert pool.spec["disruption"]["consolidationPolicy"] == "WhenEmptyOrUnderutilized"
    assert pool.spec["disruption"]["consolidateAfter"] == "30s"
    assert pool.template["expireAfter"] == "Never"


def test_an_interrupted_node_gives_its_worker_all_of_its_grace_and_no_more(found: dict[str, Pool]) -> None:
    """Karpenter waits for do-not-disrupt as long as terminationGracePeriod: with none it would wait past the notice."""
    grace = int(found["gpu-workers"].template["terminationGracePeriod"].removesuffix("s"))
    assert grace == WORKER.grace_seconds == 100
    assert grace < SPOT_NOTICE


def test_the_general_pool_replaces_one_node_at_a_time_and_each_within_a_month(found: dict[str, Pool]) -> None:
    pool = found["general"]
    for nodes in (1, 5, 10):
        assert pool.may_end("Drifted", nodes) == pool.may_end("Underutilized", nodes) == 1
        assert pool.may_end("Empty", nodes) == nodes
    assert pool.template["expireAfter"] == "720h"
    assert pool.template["terminationGracePeriod"] == "300s"


def test_no_reason_to_end_a_node_is_without_a_bound(found: dict[str, Pool]) -> None:
    for one in found.values():
        named = [reason for budget in one.spec["disruption"]["budgets"] for reason in budget["reasons"]]
        assert sorted(named) == sorted(REASONS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": {"kubernetes.io/role": "x"}}, "node_pools.one.labels = kubernetes.io/role: is a reserved domain"),
        ({"labels": {"node.karpenter.sh/x": "x"}}, "node_pools.one.labels = node.karpenter.sh/x"),
        ({"limits": {}}, "node_pools.one.limits = {}: must bound what a mistake can cost"),
        ({"instance_types": []}, "node_pools.one.types = []"),
        ({"budgets": [Budget("0", ("Drifted",))]}, "node_pools.one.budgets = ['Drifted']: must name each reason once"),
        ({"budgets": [Budget("1", ("Drifted", "Empty", "Underutilized", "Empty"))]}, "node_pools.one.budgets = "),
    ],
)
def test_a_pool_that_the_api_server_would_refuse_stops_synthesis(change: dict[str, Any], told: str) -> None:
    good: dict[str, Any] = {
        "node_class": "one",
        "instance_types": ["m7g.large"],
        "architectures": ["arm64"],
        "labels": {"workload-type": "one"},
        "taints": [Taint("one", "true")],
        "limits": {"cpu": "1"},
        "consolidate_seconds": 1,
        "budgets": [Budget("0", ("Drifted", "Empty", "Underutilized"))],
        "expire_hours": None,
        "grace_seconds": None,
    }
    NodePool(Folder(GitOps(placeholders()), "good"), "one", **good)
    with pytest.raises(RuleError) as error:
        NodePool(Folder(GitOps(placeholders()), "bad"), "one", **{**good, **change})
    assert str(error.value).startswith(told)
