"""The short form of `./pingvas chaos`: a real studio, killed workers, an emptied Valkey, a killed PostgreSQL."""

import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.chaos.run import Outcome, Plan, run
from studio.chaos.verify import Check
from studio.cli.chaos import as_json
from studio.home import Home
from tests.gpu_worker.tiny import SIDE, build

pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]


GENERATIONS = 150
"""Enough that a fast machine is still at it when the faults strike."""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    models = tmp_path_factory.mktemp("chaos-models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what diffusers and transformers say to each other
        folder = build(models / "sdxl" / "tiny")
    (folder / "pingvas.json").write_text(
        json.dumps({"default_size": [SIDE, SIDE], "native_sizes": [[SIDE, SIDE]], "default_steps": 4})
    )
    extra = {"PINGVAS_MODELS_DIR": str(models), "PINGVAS_DEFAULT_MODEL": "tiny"}
    with tempfile.TemporaryDirectory(prefix="pingvas-chaos-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o711)
        plan = Plan(generations=GENERATIONS, users=6, workers=2, kill_every=3, steps=10, seed=3, limit_seconds=300)
        yield run(plan, Home(Path(place)).prepare(), extra=extra)


def test_every_invariant_holds(outcome: Outcome) -> None:
    assert [check for check in outcome.checks if not check.holds] == []
    assert sum(outcome.ends.values()) == GENERATIONS
    assert set(outcome.ends) <= {"succeeded", "failed", "canceled"}


def test_everything_was_really_broken(outcome: Outcome) -> None:
    assert outcome.struck["Valkey emptied and killed"] == 1
    assert outcome.struck["PostgreSQL killed"] == 1
    assert outcome.struck["worker killed (SIGKILL)"] >= 1
    assert json.dumps(as_json(outcome))


def test_a_check_without_cases_or_with_a_broken_one_does_not_hold() -> None:
    assert not Check("looked at nothing", 0, []).holds
    assert not Check("broken", 1, ["why"]).holds
