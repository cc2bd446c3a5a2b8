"""The capacity proof: Karpenter's own figures reproduced, and each number that cannot be refused by its name."""

import inspect
import random
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from blueprint import capacity
from blueprint.allocatable import Amount, allocatable, asked, daemons, room
from blueprint.capacity import check, prove
from blueprint.cluster import SYSTEM
from blueprint.components import COMPONENTS, PRIORITY, Component
from blueprint.environments import DEV, PROD, Quota, Replicas
from blueprint.instances import INSTANCE_TYPES, InstanceType
from blueprint.limits import READ_AS_WORKER, WORKER_CONNECTIONS, most_addresses
from blueprint.loads import PLAN, Plan, loads
from blueprint.packing import fewest, spread
from blueprint.pools import gpu_pool
from blueprint.rules import RuleError
from blueprint.service_quotas import service_quotas
from services.kernel.db import sync_engine
from studio.home import PROJECT


@pytest.mark.parametrize(
    ("one", "cpu", "memory"),
    [
        (INSTANCE_TYPES["t3a.medium"], 1930, 3246),
        (INSTANCE_TYPES["t4g.medium"], 1930, 3187),
        (InstanceType("a1.large", 2, 4, 3, 10, "arm64"), 1930, 3055),
        (InstanceType("i4i.large", 2, 16, 3, 10), 1930, 14481),
        (InstanceType("i4g.large", 2, 16, 3, 10, "arm64"), 1930, 14422),
        (InstanceType("t3a.xlarge", 4, 16, 4, 15), 3920, 14162),
        (InstanceType("t4g.xlarge", 4, 16, 4, 15, "arm64"), 3920, 14103),
        (InstanceType("a1.2xlarge", 8, 16, 4, 15, "arm64"), 7910, 14103),
        (InstanceType("g6e.xlarge", 4, 32, 4, 15, gpu=1), 3920, 29317),
        (InstanceType("r7i.8xlarge", 32, 256, 8, 30), 31850, 239554),
        (InstanceType("a1.4xlarge", 16, 32, 8, 30, "arm64"), 15890, 27322),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_allocatable_is_what_karpenter_publishes(one: InstanceType, cpu: int, memory: int) -> None:
    """Its page "Instance Types", generated for AL2023; shapes that our types share, and larger ones for the formula."""
    assert allocatable(one) == Amount(cpu=cpu, memory=memory, pods=one.pods, gpu=one.gpu)


def test_the_blueprint_holds() -> None:
    check()
    assert prove().failures == ()


def test_every_pod_stands_against_every_type_of_its_pool() -> None:
    proof = prove()
    for load in loads():
        types = {fit.type.name for fit in proof.fits if fit.load == load}
        assert types == {one.name for one in PLAN.types(load.place)}
    counted = {load.name for load in loads()} | {one.name for one in COMPONENTS.values() if one.daemon}
    assert set(COMPONENTS) < counted


def test_daemon_sets_are_taken_off_the_nodes_they_run_on() -> None:
    for name, place in (("t3.medium", "system"), ("m5.large", "general"), ("g5.xlarge", "gpu")):
        one = INSTANCE_TYPES[name]
        running = daemons(place)  # type: ignore[arg-type]
        left = room(one, place)  # type: ignore[arg-type]
        assert left.pods == one.pods - len(running)
        assert left.memory == allocatable(one).memory - sum(asked(daemon).memory for daemon in running)
    assert {one.name for one in daemons("gpu")} - {one.name for one in daemons("general")} == {
        "dcgm-exporter",
        "nvidia-device-plugin",
    }


def test_a_pod_that_asks_for_no_memory_is_not_counted_as_using_none() -> None:
    for one in COMPONENTS.values():
        assert (one.memory_mib > 0) != (one.assumed_mib > 0), one.name
        assert one.memory_limit_mib is None or one.memory_limit_mib >= one.memory_mib


def changed(name: str, **numbers: object) -> tuple[Component, ...]:
    assert name in COMPONENTS
    return tuple(replace(one, **numbers) if one.name == name else one for one in PLAN.components)  # type: ignore[arg-type]


def prod(**numbers: object) -> Plan:
    return replace(PLAN, environments=(DEV, replace(PROD, **numbers)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("plan", "setting", "says"),
    [
        (
            replace(PLAN, worker=replace(PLAN.worker, memory_gib=15)),
            "worker.memory_gib",
            "dev/gpu-worker asks for 15360 MiB, and g4dn.xlarge leaves 13569 MiB beside its 9 DaemonSets",
        ),
        (replace(PLAN, worker=replace(PLAN.worker, memory_gib=13)), "worker.memory_gib", "g5.xlarge leaves 13250 MiB"),
        (replace(PLAN, worker=replace(PLAN.worker, cpu=4.0)), "worker.cpu", "g4dn.xlarge leaves 3490m"),
        (replace(PLAN, worker=replace(PLAN.worker, gpu=2)), "worker.gpu", "leaves 1 GPU"),
        (
            replace(PLAN, services=tuple(replace(one, memory_mib=16384) for one in PLAN.services)),
            "services.user.memory_mib",
            "m5.large leaves",
        ),
        (replace(PLAN, components=changed("prometheus", memory_mib=7000)), "components.prometheus.memory_mib", "m5"),
        (replace(PLAN, components=changed("karpenter", cpu=2.0)), "components.karpenter.cpu", "t3.medium leaves 1650m"),
        (
            replace(PLAN, components=changed("dcgm-exporter", memory_mib=1300)),
            "worker.memory_gib",
            "g5.xlarge leaves 12206 MiB",
        ),
        (
            replace(PLAN, components=changed("argocd-server", replicas=10)),
            "cluster.system.minimum",
            "3 nodes of t3.medium do",
        ),
        (replace(PLAN, system=replace(SYSTEM, desired=2)), "cluster.system.desired", "must be 3"),
        (replace(PLAN, system=replace(SYSTEM, desired=4)), "cluster.system.desired", "must be 3"),
        (prod(priority=PRIORITY), "environments.prod.priority", "services evict"),
        (replace(PLAN, general=replace(PLAN.general, cpu=45)), "cluster.general.cpu", "have 46 vCPUs"),
        (replace(PLAN, general=replace(PLAN.general, memory_gib=180)), "cluster.general.memory_gib", "have 184 GiB"),
        (replace(PLAN, gpu=replace(gpu_pool(10), cpu=79)), "cluster.gpu-workers.cpu", "have 80 vCPUs"),
        (replace(PLAN, gpu=replace(gpu_pool(10), memory_gib=319)), "cluster.gpu-workers.memory_gib", "have 320 GiB"),
        (prod(workers=Replicas(0, 0)), "environments.prod.workers.maximum", "asks for 0 GPUs of a pool that has 10"),
        (prod(quota=Quota(49, 200, 15, 200)), "environments.prod.quota.cpu", "ask for 50 cores"),
        (prod(quota=Quota(50, 199, 15, 200)), "environments.prod.quota.memory_gib", "ask for 200 GiB"),
        (prod(quota=Quota(50, 200, 14, 200)), "environments.prod.quota.gpu", "ask for 15 GPUs"),
        (prod(quota=Quota(50, 200, 15, 80)), "environments.prod.quota.pods", "ask for 81 pods"),
        (replace(PLAN, general=replace(PLAN.general, cpu=80, memory_gib=320)), "network.private", "are too few"),
        (
            replace(PLAN, network=replace(PLAN.network, private=(IPv4Network("10.0.11.0/24"),) * 2)),
            "network.private",
            "490 addresses are too few",
        ),
        (replace(PLAN, aurora=replace(PLAN.aurora, pool=5)), "aurora.pool", "connections at the maxima"),
        (replace(PLAN, aurora=replace(PLAN.aurora, maximum_acu=2.0)), "aurora.pool", "Aurora admits 385"),
    ],
)
def test_what_does_not_hold_is_refused_by_its_name(plan: Plan, setting: str, says: str) -> None:
    with pytest.raises(RuleError) as raised:
        check(plan)
    assert raised.value.setting == setting
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(raised.value) == str(prove(plan).failures[0])


def test_the_pool_may_be_raised_to_the_gpus_that_prod_may_ask_for() -> None:
    check(replace(PLAN, gpu=gpu_pool(PROD.workers.maximum)))


class TestSystemNodes:
    def pods(self) -> list[Amount]:
        return [load.asks for load in loads() if load.place == "system" for _ in range(load.count)]

    def test_the_desired_number_is_the_computed_one(self) -> None:
        proof = prove()
        needed = max(one.count for one in proof.nodes if one.place == "system")
        assert needed + 1 == SYSTEM.desired
        for one in PLAN.types("system"):
            assert fewest(self.pods(), room(one, "system")) <= needed

    @pytest.mark.parametrize("one", PLAN.types("system"), ids=lambda one: one.name)
    def test_whatever_order_they_come_in_they_fit_the_desired_number(self, one: InstanceType) -> None:
        dice, pods, space = random.Random(7), self.pods(), room(one, "system")
        for _ in range(200):
            dice.shuffle(pods)
            assert spread(pods, space, SYSTEM.desired)

    @pytest.mark.parametrize("one", PLAN.types("system"), ids=lambda one: one.name)
    def test_after_a_node_is_lost_its_pods_fit_the_others(self, one: InstanceType) -> None:
        """In most orders at once; where the scheduler puts a large one too late, it waits for the node's successor."""
        dice, pods, space = random.Random(7), self.pods(), room(one, "system")
        held = 0
        for _ in range(200):
            dice.shuffle(pods)
            held += spread(pods, space, SYSTEM.desired - 1) is not None
        assert held >= 190


class TestAddresses:
    @pytest.mark.parametrize("name", ["t3.medium", "m5.large", "m5.xlarge"])
    def test_no_way_of_spreading_pods_takes_more_than_the_bound(self, name: str) -> None:
        one = INSTANCE_TYPES[name]
        dice, nodes, pods = random.Random(7), 6, 40
        bound = most_addresses(PLAN, one, "general", nodes, pods)
        free = one.pods - len(daemons("general"))
        for _ in range(300):
            counts = [0] * nodes
            for _ in range(min(pods, nodes * free)):
                able = [index for index, count in enumerate(counts) if count < free]
                counts[dice.choice(able[: dice.randint(1, len(able))])] += 1
            assert sum(self.held(one, count) for count in counts) <= bound

    def held(self, one: InstanceType, pods: int) -> int:
        """By hand: two DaemonSets of the general nodes have addresses of their own."""
        secondary = min(max(10, pods + 2 + 2), one.interfaces * (one.addresses - 1))
        interfaces = -(-secondary // (one.addresses - 1))
        return secondary + interfaces

    def test_an_empty_node_holds_the_minimum_and_an_address_an_interface(self) -> None:
        assert most_addresses(PLAN, INSTANCE_TYPES["m5.large"], "general", 1, 0) == 10 + 2
        assert most_addresses(PLAN, INSTANCE_TYPES["t3.medium"], "system", 1, 0) == 10 + 2
        assert most_addresses(PLAN, INSTANCE_TYPES["m5.xlarge"], "general", 1, 0) == 10 + 1


class TestConnections:
    def test_services_that_keep_a_second_pool_are_those_that_open_one(self) -> None:
        services = [
            path for path in (PROJECT / "services").iterdir() if path.name in {one.name for one in PLAN.services}
        ]
        assert {path.name for path in services if self.reads_as_worker(path)} == set(READ_AS_WORKER)

    def reads_as_worker(self, folder: Path) -> bool:
        return any('role="worker"' in code.read_text() for code in folder.glob("*.py"))

    def test_a_workers_connections_are_its_engines(self) -> None:
        """Two more than the pool, `max_overflow`."""
        pool = inspect.signature(sync_engine).parameters["pool"].default
        assert pool + 2 == WORKER_CONNECTIONS
        assert "max_overflow=2" in inspect.getsource(sync_engine)


def test_the_account_is_asked_for_what_the_pools_reach() -> None:
    wanted = [check.asked for check in prove().checks if check.topic == "account"]
    assert wanted == [one.needed for one in service_quotas()]


def test_synthesis_of_the_cluster_asks_before_it_makes_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    from stacks.cluster import ClusterStack

    asked_for: list[bool] = []

    def refuse() -> None:
        asked_for.append(True)
        raise RuleError("worker.memory_gib", 15, "does not fit")

    monkeypatch.setattr(capacity, "check", refuse)
    nothing: Any = None
    with pytest.raises(RuleError, match=r"worker\.memory_gib = 15"):
        ClusterStack(
            nothing,
            settings=nothing,
            network=nothing,
            security=nothing,
            storage=nothing,
            data=nothing,
            delivery=nothing,
        )
    assert asked_for
