"""The page about scaling, held to the blueprint: its numbers, the cold start, the choice of a cache."""

import re
from dataclasses import replace
from functools import reduce
from importlib import import_module

from blueprint.cold_start import (
    COLD_START,
    DISKS,
    LAYER_MB_S,
    MEASURED_IMAGE_GB,
    SOCI_DISK_MB_S,
    fast_restore_dollars,
)
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.maxima import workers_maximum
from blueprint.network import ZONES
from blueprint.pools import GPU
from blueprint.rollout import ROLLOUT, SPOT_NOTICE
from blueprint.scaling import SCALING
from blueprint.worker import BUSY, WORKER
from gpu_worker.presence import SIGN_EVERY, STUCK_AFTER
from tests.docs.markdown import ROOT, section, tables

PAGE = ROOT / "docs" / "kubernetes" / "scaling.md"
PLAIN = replace(COLD_START, cache="none", raid0=False)


def prose(heading: str) -> str:
    return re.sub(r"\s+", " ", section(PAGE, heading))


def value(name: str) -> float:
    """`scaling.SCALING.idle_seconds` of the blueprint."""
    module, *path = name.strip("`").split(".")
    return float(reduce(getattr, path, import_module(f"blueprint.{module}")))  # type: ignore[arg-type]


def test_every_number_is_the_blueprint_s() -> None:
    numbers, maxima = tables(section(PAGE, "How many workers"))
    assert len(numbers) > 10
    for name, number, _ in numbers:
        assert number.removesuffix(" s") == f"{value(name):g}", name
    assert {name: int(told) for name, told in maxima} == {
        one.name: workers_maximum(one) for one in CLUSTER_ENVIRONMENTS
    }


def test_how_often_a_wake_up_is_renewed_is_told() -> None:
    assert f"renews its wake-up every {SIGN_EVERY:g} s" in prose("How many workers")
    assert WORKER.visibility_timeout_seconds / 10 > SIGN_EVERY


def test_what_protects_work_is_told_with_its_numbers() -> None:
    text = prose("What protects work")
    assert all(mark in text for mark in BUSY)
    assert f"clears the mark when none has begun for {SCALING.idle_seconds:g} s" in text
    assert f"{ROLLOUT.drain_reaction} s to react and {WORKER.grace_seconds} s of grace" in text
    assert f"are the notice's {SPOT_NOTICE} s" in text
    assert ROLLOUT.drain_reaction + WORKER.grace_seconds == SPOT_NOTICE
    assert GPU.grace_seconds == WORKER.grace_seconds
    assert f"Both are {WORKER.grace_seconds} s here" in text
    assert f"The token lives {WORKER.token_seconds} s" in text
    assert f"restarted after {STUCK_AFTER:g} s without a step" in text


def test_the_cold_start_is_told_as_it_is_computed() -> None:
    (rows,) = tables(section(PAGE, "The cold start"))
    assert [(name, int(seconds), source) for name, seconds, source in rows] == [
        (one.name, one.seconds, one.source) for one in COLD_START.steps
    ]
    assert (
        f"Together {COLD_START.total} s of a budget of {COLD_START.seconds} s; without a cache {PLAIN.total} s"
    ) in prose("The cold start")


def test_the_choice_is_told_with_its_arithmetic() -> None:
    text = prose("Why SOCI, and not a snapshot")
    (rows,) = tables(section(PAGE, "Why SOCI, and not a snapshot"))
    assert [pull for _, pull, _ in rows] == [f"{PLAIN.pull_seconds} s", f"{COLD_START.pull_seconds} s", "0 s"]
    assert f"taken to be {COLD_START.image_gb:g} GB" in text
    assert f"{fast_restore_dollars():.2f} dollars a month of fast restore, for one image in {ZONES} zones" in text
    assert f"wants {SOCI_DISK_MB_S} MB/s" in text
    (carries,) = {one.ebs_mb_s for one in DISKS.values()}
    assert f"at most {carries:g} MB/s on every type" in text
    assert f"{min(one.store_gb for one in DISKS.values())} GB on the smallest" in text
    assert f"about {LAYER_MB_S} MB/s" in text
    assert text.count(f"layers of at most {COLD_START.layer_gb:g} GB") == 2
    assert f"{MEASURED_IMAGE_GB:g} GB" in section(PAGE, "The cold start")
    assert PLAIN.total <= COLD_START.seconds, "the budget of 300 s holds without it"
