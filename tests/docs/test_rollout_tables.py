"""The page about rollouts, held to the blueprint: its numbers, its time lines, its sums."""

import re
from functools import reduce
from importlib import import_module
from math import ceil

from blueprint.edge import LOAD_BALANCER
from blueprint.pools import GENERAL
from blueprint.rollout import ROLLOUT, SPOT_NOTICE, drained_after, in_service_after, rolled_out_after, surge
from blueprint.services import HTTP
from tests.docs.markdown import ROOT, section, tables

PAGE = ROOT / "docs" / "kubernetes" / "rollout.md"


def value(name: str) -> object:
    """`edge.LOAD_BALANCER.idle_timeout` of the blueprint."""
    module, *path = name.strip("`").split(".")
    return reduce(getattr, path, import_module(f"blueprint.{module}"))


def test_every_number_is_the_blueprint_s() -> None:
    (rows,) = tables(section(PAGE, "The numbers"))
    assert len(rows) > 15
    for name, told, _ in rows:
        assert told == f"{value(name):g} s", name


def test_the_end_of_a_pod_is_told_as_it_is_computed() -> None:
    (rows,) = tables(section(PAGE, "A pod ends"))
    reaction = ROLLOUT.deregistration_reaction
    assert [int(second) for second, _ in rows] == [
        0,
        reaction,
        reaction + LOAD_BALANCER.deregistration_delay,
        ROLLOUT.pre_stop,
        ROLLOUT.pre_stop + HTTP.graceful_shutdown_seconds,
        ROLLOUT.grace,
    ]
    text = section(PAGE, "A pod ends")
    assert f"{ROLLOUT.pre_stop} + {HTTP.graceful_shutdown_seconds} + {ROLLOUT.exit_reserve} = {drained_after()}" in text
    needed = ROLLOUT.drain_reaction + ROLLOUT.grace
    assert f"{ROLLOUT.drain_reaction} + {ROLLOUT.grace} = {needed} fits, with {SPOT_NOTICE - needed}" in re.sub(
        r"\s+", " ", text
    )
    assert f"wait {GENERAL.grace_seconds} s" in text


def test_the_beginning_of_a_pod_adds_up() -> None:
    text = re.sub(r"\s+", " ", section(PAGE, "A pod begins"))
    checks = f"{LOAD_BALANCER.healthy_threshold} x {LOAD_BALANCER.health_interval}"
    assert (
        f"{ROLLOUT.startup.window} (startup) + {ROLLOUT.readiness.period} (readiness) +"
        f" {ROLLOUT.deregistration_reaction} (registration) + {checks} (ELB's checks) = {in_service_after()} s"
    ) in text
    (rows,) = tables(section(PAGE, "A pod begins"))
    for replicas, steps, longest in rows:
        assert int(steps) == ceil(int(replicas) / surge(int(replicas)))
        assert longest == f"{rolled_out_after(int(replicas))} s"
