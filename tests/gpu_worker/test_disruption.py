"""A busy worker's marks on its own pod: set, cleared, never in the way."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from blueprint.scaling import SCALING
from blueprint.worker import DELETION_COST, DO_NOT_DISRUPT
from gpu_worker import disruption as disruption_module
from gpu_worker import process as process_module
from gpu_worker.disruption import Disruption, MarkError, OwnPod, own_pod
from gpu_worker.drain import Drain
from gpu_worker.models.cache import ModelCache
from gpu_worker.presence import Presence
from gpu_worker.process import WorkerProcess
from gpu_worker.runner import Runner
from services.kernel.metrics import WorkerMetrics
from services.kernel.settings import Settings
from tests.gpu_worker.harness import Studio
from tests.support.kubernetes import ApiServer, api_server
from tests.support.tls import certificates

# diffusers' schedulers call NumPy in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
BUSY: dict[str, Any] = {DO_NOT_DISRUPT: "true", DELETION_COST: str(SCALING.deletion_cost)}
IDLE: dict[str, Any] = dict.fromkeys(BUSY)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        yield server


@pytest.fixture
def pod(api: ApiServer) -> OwnPod:
    return OwnPod(api.address, api.pod, api.folder)


@pytest.fixture
def marks(pod: OwnPod, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disruption]:
    monkeypatch.setattr(disruption_module, "PAUSES", (0.02, 0.05))
    made = Disruption(pod, idle_seconds=0.2)
    made.start()
    yield made
    made.close()


def make(settings: Settings, marks: Disruption) -> Runner:
    from gpu_worker.models.device import Device

    return Runner(
        settings,
        name="here",
        models=ModelCache(settings.models_dir, Device(settings)),
        drain=Drain(),
        presence=Presence(settings, "here"),
        disruption=marks,
        metrics=WorkerMetrics(CollectorRegistry()),
    )


def test_a_busy_worker_is_marked_and_an_idle_one_is_not(api: ApiServer, marks: Disruption) -> None:
    marks.busy()
    api.until(**BUSY)
    marks.idle()
    api.until(**IDLE)
    assert api.annotations == {"pingvas.com/configuration": "1"}, "other annotations are others'"


def test_back_to_back_jobs_are_one_stretch_of_work(api: ApiServer, marks: Disruption) -> None:
    for _ in range(5):
        marks.busy()
        api.until(**BUSY)
        marks.idle()
        time.sleep(0.02)
    assert len(api.bodies) == 1
    api.until(**IDLE)
    assert len(api.bodies) == 2


def test_a_worker_that_drains_lets_go_at_once_whatever_it_does(api: ApiServer, pod: OwnPod) -> None:
    marks = Disruption(pod, idle_seconds=60)
    marks.start()
    marks.busy()
    api.until(**BUSY)
    marks.drain()
    api.until(**IDLE)
    marks.busy()
    marks.close()
    assert DO_NOT_DISRUPT not in api.annotations
    assert len(api.bodies) == 2


def test_what_a_container_before_left_on_the_pod_is_cleared(api: ApiServer, marks: Disruption) -> None:
    api.annotations |= BUSY
    api.until(**IDLE)
    assert len(api.bodies) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 409, 500, 503])
def test_a_refusal_is_tried_again(
    status: int, api: ApiServer, marks: Disruption, capsys: pytest.CaptureFixture[str]
) -> None:
    api.fails = [status] * 3
    marks.busy()
    api.until(**BUSY)
    assert api.answers == [status] * 3 + [200]
    assert capsys.readouterr().out.count("pod not marked") == 3


def test_a_token_that_was_renewed_is_read_again(api: ApiServer, pod: OwnPod) -> None:
    pod.mark(True)
    api.rotate("second")
    pod.mark(False)
    assert api.answers == [200, 200]
    api.token = "third"
    with pytest.raises(MarkError, match="401"):
        pod.mark(True)


def test_whoever_does_not_prove_to_be_the_cluster_gets_no_token(api: ApiServer, pod: OwnPod, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (api.folder / "ca.crt").write_bytes(certificates(other).authority.read_bytes())
    with pytest.raises(MarkError, match="certificate"):
        pod.mark(True)
    assert api.bodies == []


def test_nobody_waits_for_an_api_server_that_is_slow_or_away(
    api: ApiServer, marks: Disruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.slow = 0.5
    begun = time.monotonic()
    for _ in range(100):
        marks.busy()
        marks.idle()
    assert time.monotonic() - begun < 0.1
    monkeypatch.setattr(disruption_module, "ANSWER_SECONDS", 0.1)
    away = Disruption(OwnPod("https://127.0.0.1:1", api.pod, api.folder))
    away.start()
    away.busy()
    begun = time.monotonic()
    away.close()
    assert time.monotonic() - begun < disruption_module.CLOSE_SECONDS


def test_an_answer_that_does_not_come_counts_as_none(
    api: ApiServer, marks: Disruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disruption_module, "ANSWER_SECONDS", 0.1)
    api.slow = 0.4
    marks.busy()
    time.sleep(0.3)
    api.slow = 0.0
    api.until(**BUSY)
    assert len(api.bodies) >= 2


def test_outside_a_cluster_nothing_happens(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    named = settings.model_copy(update={"pod_name": "gpu-worker-1"})
    assert own_pod(named, tmp_path) is None
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "172.20.0.1")
    assert own_pod(named, tmp_path) is None, "the pod has no token"
    (tmp_path / "token").write_text("t")
    assert own_pod(settings, tmp_path) is None, "nobody said which pod"
    assert own_pod(named, tmp_path) is not None
    before = threading.active_count()
    quiet = Disruption(None)
    quiet.start()
    quiet.busy()
    quiet.idle()
    quiet.close()
    assert threading.active_count() == before


@pytest.mark.model
def test_a_job_is_rendered_under_the_marks_and_an_empty_wake_up_sets_none(
    worker_settings: Settings, studio: Studio, api: ApiServer, marks: Disruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.asked()
    rendering: list[bool] = []
    monkeypatch.setattr(Presence, "busy", lambda _: rendering.append(DO_NOT_DISRUPT in api.annotations))
    runner = make(worker_settings, marks)
    try:
        runner.wake("tag")
        time.sleep(0.1)
        told = len(api.bodies)
        job = studio.create(wake=False, steps=8)
        runner.wake("tag")
        assert studio.row(job)["status"] == "succeeded"
        api.until(**IDLE)
    finally:
        runner.close()
    assert told == 1, "a wake-up that finds nothing is no work"
    assert rendering[-1], "the last step was made under the marks"
    assert [body["metadata"]["annotations"] for body in api.bodies[told:]] == [BUSY, IDLE]


@pytest.mark.model
def test_a_job_succeeds_though_the_api_server_refuses(
    worker_settings: Settings, studio: Studio, api: ApiServer, marks: Disruption
) -> None:
    api.fails = [403] * 1000
    runner = make(worker_settings, marks)
    try:
        job = studio.create(wake=False)
        runner.wake("tag")
        assert studio.row(job)["status"] == "succeeded"
        api.asked()
    finally:
        runner.close()
    assert set(api.answers) == {403}


def test_a_worker_that_is_told_to_end_lets_go_before_its_job_has(
    settings: Settings, api: ApiServer, pod: OwnPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[int] = []
    monkeypatch.setattr(process_module, "_stop_celery", stopped.append)
    process = WorkerProcess(settings)
    process.disruption = Disruption(pod)
    process.disruption.start()
    process.disruption.busy()
    api.until(**BUSY)
    process.stop(3)
    api.until(**IDLE)
    assert stopped == [3]
    process.close()


def test_the_marks_of_a_container_that_died_at_work_are_cleared_while_a_model_still_loads(
    settings: Settings, api: ApiServer, pod: OwnPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loading:
        def run(self, work: object) -> None:
            api.until(**IDLE)

    api.annotations |= BUSY
    process = WorkerProcess(settings)
    process.disruption = Disruption(pod, idle_seconds=0.0)
    monkeypatch.setattr(process.drain, "install", lambda *_: None)
    process.open(Loading())  # type: ignore[arg-type]
    process.close()
