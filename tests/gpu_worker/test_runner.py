"""The ends that a job can come to, with a runner in this process on the real database, store and diffusers."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from gpu_worker import runner as runner_module
from gpu_worker.attempt import Attempt
from gpu_worker.disruption import Disruption
from gpu_worker.drain import EX_TEMPFAIL, Drain
from gpu_worker.heartbeat import Watch
from gpu_worker.models.cache import ModelCache
from gpu_worker.models.errors import DeviceLostError, OutOfMemoryError
from gpu_worker.presence import Presence
from gpu_worker.runner import Runner
from services.kernel.events import name
from services.kernel.metrics import WorkerMetrics
from services.kernel.settings import Settings
from tests.gpu_worker.harness import TINY, Studio

# diffusers' schedulers call NumPy in a way that NumPy 2 deprecates.
pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def make(settings: Settings) -> Runner:
    from gpu_worker.models.device import Device

    return Runner(
        settings,
        name="here",
        models=ModelCache(settings.models_dir, Device(settings)),
        drain=Drain(),
        presence=Presence(settings, "here"),
        disruption=Disruption(None),
        metrics=WorkerMetrics(CollectorRegistry()),
    )


@pytest.fixture
def runner(worker_settings: Settings, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    monkeypatch.setattr(runner_module, "FAILURE_PAUSE", 0.0)
    made = make(worker_settings)
    yield made
    made.close()


class During:
    """Does something to the world while a job is being rendered."""

    def __init__(self, studio: Studio, job: UUID, statement: str, **parameters: Any) -> None:
        self._studio = studio
        self._job = job
        self._statement = statement
        self._parameters = parameters
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _run(self) -> None:
        self._studio.status(self._job, "running")
        self._studio.execute(self._statement, **self._parameters)


def test_nothing_to_do_is_no_error(runner: Runner) -> None:
    assert runner.wake("tag")


def test_the_job_that_is_due_first_is_taken_whoever_woke(runner: Runner, studio: Studio) -> None:
    late, early = studio.create(wake=False), studio.create(wake=False)
    studio.execute("UPDATE generations SET due_at = now() - interval '1 minute' WHERE id = :id", id=early)
    assert runner.wake("tag")
    assert (studio.row(early)["status"], studio.row(late)["status"]) == ("succeeded", "queued")


def test_a_commit_after_the_job_went_to_another_changes_nothing(worker_settings: Settings, studio: Studio) -> None:
    deaf = make(worker_settings.model_copy(update={"renew_seconds": 60, "lease_seconds": 180}))
    job = studio.create(wake=False, steps=100)
    with During(studio, job, "UPDATE generations SET attempt = attempt + 1 WHERE id = :id", id=job):
        deaf.wake("tag")
    deaf.close()
    row = studio.row(job)
    assert (row["status"], row["attempt"]) == ("running", 2)
    assert studio.entries(job) == ["hold"]
    assert studio.images(job) == []
    assert studio.objects(job) == []


def test_a_renewal_that_finds_no_row_ends_the_rendering(runner: Runner, studio: Studio) -> None:
    job = studio.create(wake=False, steps=900)
    with During(studio, job, "UPDATE generations SET attempt = attempt + 1 WHERE id = :id", id=job):
        runner.wake("tag")
    row = studio.row(job)
    assert (row["status"], row["attempt"], row["step"] < 900) == ("running", 2, True)
    assert studio.objects(job) == []


def test_a_lost_connection_costs_nothing(runner: Runner, studio: Studio) -> None:
    job = studio.create(wake=False, steps=60)
    role = "pingvas_local_worker"
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = :role AND pid <> pg_backend_pid()"
    )
    with During(studio, job, cut, role=role):
        runner.wake("tag")
    row = studio.row(job)
    assert (row["status"], row["attempt"], row["failures"]) == ("succeeded", 1, 0)
    assert studio.entries(job) == ["hold", "charge"]


def test_a_commit_whose_answer_was_lost_is_recognised(runner: Runner, studio: Studio) -> None:
    job = studio.create(wake=False)
    claimed = runner._claim()
    assert claimed is not None
    attempt = Attempt(
        claimed[0],
        models=runner._models,
        storage=runner._storage,
        uploads=runner._uploads,
        presence=runner._presence,
    )
    watch = Watch(runner._drain, leased_until=claimed[1] + 30, steps=2)
    with runner._heartbeat(claimed[0], watch) as heartbeat:
        pictures = attempt.make(heartbeat, watch)
    assert runner._repository.commit(claimed[0], step=2, pictures=pictures)
    assert runner._commit(attempt, pictures) == "succeeded"
    assert studio.entries(job) == ["hold", "charge"]
    assert len(studio.objects(job)) == 2
    told = studio.events(job)[-1]
    assert (name(told), told["seq"], len(told["images"])) == ("generation.succeeded", studio.row(job)["event_seq"], 1)


def test_a_damaged_model_fails_at_once_and_says_why(runner: Runner, studio: Studio, models: Path) -> None:
    broken = models / "sdxl" / "broken"
    shutil.copytree(models / "sdxl" / TINY, broken)
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    held = studio.held()
    job = studio.create(wake=False, model="broken")
    runner.wake("tag")
    shutil.rmtree(broken)
    row = studio.row(job)
    assert (row["status"], row["error_code"], row["attempt"]) == ("failed", "model_unavailable", 1)
    assert row["error_message"].startswith("The model broken cannot be used: unet/diffusion_pytorch_model.safetensors ")
    assert str(models) not in row["error_message"]
    assert studio.entries(job) == ["hold", "release"]
    assert studio.held() == held
    last = studio.events(job)[-1]
    assert last["error"] == {"code": "model_unavailable", "message": row["error_message"]}


def test_a_store_that_cannot_be_written_is_tried_three_times(runner: Runner, studio: Studio) -> None:
    blocked = studio.folder / "images"
    aside = studio.folder / "aside"
    if blocked.exists():
        blocked.rename(aside)
    blocked.write_text("a file where a folder should be")
    job = studio.create(wake=False)
    seen = []
    for _ in range(3):
        runner.wake("tag")
        row = studio.row(job)
        seen.append((row["status"], row["attempt"], row["failures"], row["error_code"]))
    blocked.unlink()
    if aside.exists():
        aside.rename(blocked)
    code = "storage_unavailable"
    assert seen == [("queued", 1, 1, code), ("queued", 2, 2, code), ("failed", 3, 3, code)]
    assert studio.entries(job) == ["hold", "release"]
    assert str(studio.folder) not in studio.row(job)["error_message"]


def test_an_unexpected_error_tells_no_internals(runner: Runner, studio: Studio) -> None:
    job = studio.create(wake=False, width=60)
    runner.wake("tag")
    row = studio.row(job)
    assert (row["status"], row["error_code"], row["failures"]) == ("queued", "render_failed", 1)
    assert "divisible" not in row["error_message"]


def test_a_silent_workers_job_is_taken_over(runner: Runner, studio: Studio) -> None:
    job = studio.create(wake=False)
    studio.execute(
        "UPDATE generations SET status = 'running', attempt = 1, lease_expires_at = now() - interval '1 second', "
        "started_at = now(), event_seq = 2 WHERE id = :id",
        id=job,
    )
    runner.wake("tag")
    row = studio.row(job)
    assert (row["status"], row["attempt"], row["failures"]) == ("succeeded", 2, 1)
    assert list(dict.fromkeys(event["status"] for event in studio.events(job))) == ["queued", "running", "succeeded"]


def test_a_worker_that_ends_takes_no_job(runner: Runner, studio: Studio) -> None:
    job = studio.create(wake=False)
    runner._drain.request()
    assert not runner.wake("tag")
    assert studio.row(job)["status"] == "queued"


def test_memory_errors_are_final_once_nothing_else_can_be_evicted(runner: Runner) -> None:
    with runner._models.use(TINY):
        pass
    first, second = runner._failure(OutOfMemoryError("x")), runner._failure(OutOfMemoryError("x"))
    assert (first.code, first.final, second.final) == ("out_of_memory", False, True)


def test_a_lost_device_ends_the_process(runner: Runner) -> None:
    assert not runner._failure(DeviceLostError("CUDA error")).final
    assert runner._drain.requested
    assert runner._drain.exit_code == EX_TEMPFAIL
