"""The numbers are those of the contract, and agree with one another."""

import dataclasses
import importlib
import itertools
import pkgutil

import pytest

import blueprint
from blueprint.environments import DEV, ENVIRONMENTS, PROD, Quota, Replicas
from blueprint.jobs import JOBS
from blueprint.network import NETWORK
from blueprint.plans import DEFAULT_PLAN, LOCAL_PLAN, PLANS, PRIORITIES
from blueprint.pricing import price
from blueprint.services import GATEWAY_PORT, HTTP, SERVICES
from blueprint.worker import WORKER

MODULES = [importlib.import_module(module.name) for module in pkgutil.walk_packages(blueprint.__path__, "blueprint.")]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_numbers_cannot_be_changed(module: object) -> None:
    classes = [kind for kind in vars(module).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
    for kind in classes:
        assert kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]


def test_environments() -> None:
    assert list(ENVIRONMENTS) == ["local", "dev", "prod"]
    assert (DEV.host, PROD.host) == ("dev.studio.pingvas.com", "studio.pingvas.com")
    assert (DEV.schema, PROD.schema) == ("dev_pingvas", "prod_pingvas")
    assert DEV.quota == Quota(cpu=20, memory_gib=50, gpu=3, pods=50)
    assert PROD.quota == Quota(cpu=50, memory_gib=200, gpu=15, pods=200)
    assert (DEV.replicas, PROD.replicas) == (Replicas(1, 5), Replicas(2, 10))
    assert (DEV.priority, PROD.priority) == (100_000, 1_000_000)


def test_services_have_their_ports_and_no_path_in_common() -> None:
    ports = {name: service.port for name, service in SERVICES.items()}
    assert ports == {"user": 8001, "payment": 8002, "generation": 8003, "gallery": 8004, "model": 8005}
    assert GATEWAY_PORT not in ports.values()
    prefixes = [prefix for service in SERVICES.values() for prefix in (*service.path_prefixes, service.docs_path)]
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and f"{a}/".startswith(f"{b}/")]


def test_subnets_are_the_documents() -> None:
    assert [str(net) for net in NETWORK.public] == ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
    assert [str(net) for net in NETWORK.private] == ["10.0.11.0/24", "10.0.12.0/24", "10.0.13.0/24"]
    assert [str(net) for net in NETWORK.data] == ["10.0.21.0/24", "10.0.22.0/24", "10.0.23.0/24"]
    every = (*NETWORK.public, *NETWORK.private, *NETWORK.data)
    assert all(net.subnet_of(NETWORK.vpc) for net in every)
    assert not any(a.overlaps(b) for a in every for b in every if a is not b)


def test_times_nest() -> None:
    assert 3 * JOBS.renew <= JOBS.lease < JOBS.reap_after
    assert WORKER.soft_shutdown_seconds < WORKER.grace_seconds < 120
    assert HTTP.keep_alive_seconds > 60, "above the load balancer's idle timeout"


def test_plans_grow_with_their_price() -> None:
    plans = sorted(PLANS.values(), key=lambda plan: plan.price_cents)
    assert plans[0].name == DEFAULT_PLAN
    assert LOCAL_PLAN in PLANS
    for smaller, larger in itertools.pairwise(plans):
        assert smaller.monthly_credits < larger.monthly_credits
        assert smaller.max_pixels < larger.max_pixels
        assert smaller.priority > larger.priority
    assert PRIORITIES[0] >= 0
    assert PRIORITIES[-1] <= 9
    for plan in plans:
        dearest = price(width=plan.max_side, height=plan.max_pixels // plan.max_side, steps=plan.max_steps, images=1)
        assert dearest <= plan.monthly_credits
