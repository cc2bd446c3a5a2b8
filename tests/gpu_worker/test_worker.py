"""A worker process from wake-up to the end of its job."""

import hashlib
import io
import json
import signal
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from blueprint.queue import unacked_index_key
from blueprint.worker import WORKER
from gpu_worker.presence import healthy
from services.kernel.events import name
from tests.gpu_worker.harness import Studio, WorkerHandle

pytestmark = pytest.mark.model
LONG = {"steps": 600}
Start = Callable[..., WorkerHandle]


def test_a_wake_up_becomes_committed_images(studio: Studio, worker: WorkerHandle) -> None:
    held = studio.held()
    job = studio.create(n=2, prompt="a café on a hill", negative_prompt="rain", guidance_scale=3.5)
    row = studio.status(job, "succeeded", "failed")
    assert row["status"] == "succeeded", row["error_message"]
    assert (row["attempt"], row["failures"], row["step"]) == (1, 0, 4)
    assert studio.entries(job) == ["hold", "charge"]
    assert studio.held() == held
    images = studio.images(job)
    assert [(image["position"], image["seed"]) for image in images] == [(0, 7), (1, 8)]
    assert studio.objects(job) == sorted(image[key] for image in images for key in ("object_key", "thumbnail_key"))
    for image in images:
        assert image["object_key"] == f"images/{job}/1/{image['position']}.png"
        data = studio.read(image["object_key"])
        assert hashlib.sha256(data).digest() == image["sha256"]
        assert len(data) == image["bytes"]
        picture: Any = Image.open(io.BytesIO(data))
        assert picture.size == (image["width"], image["height"]) == (64, 64)
        assert json.loads(picture.text["pingvas"]) == image["parameters"]
        assert picture.text["parameters"].startswith(
            "a café on a hill\nNegative prompt: rain\nSteps: 2, Sampler: Euler"
        )
        with Image.open(io.BytesIO(studio.read(image["thumbnail_key"]))) as thumbnail:
            assert thumbnail.format == "WEBP"
    last = studio.events(job)[-1]
    assert [image["id"] for image in last["images"]] == [str(image["id"]) for image in images]
    studio.until(job, lambda _: str(job) in [line["generation"] for line in worker.lines("attempt ended")])
    (ended,) = [line for line in worker.lines("attempt ended") if line["generation"] == str(job)]
    assert ended["request_id"] == f"request-{job}"
    assert {"claim_ms", "load_ms", "render_ms", "encode_ms", "upload_ms", "commit_ms"} <= set(ended)
    assert 0 <= ended["waited"] < 60, "the dashboard's queue wait"


def test_the_same_request_gives_the_same_bytes_whatever_it_is_asked_with(studio: Studio, worker: WorkerHandle) -> None:
    pair, again, alone = studio.create(n=2, seed=41), studio.create(n=2, seed=41), studio.create(seed=42)
    for job in (pair, again, alone):
        studio.status(job, "succeeded")
    hashes = [[image["sha256"] for image in studio.images(job)] for job in (pair, again, alone)]
    assert hashes[0] == hashes[1]
    assert hashes[0][1] == hashes[2][0]
    assert hashes[0][0] != hashes[0][1]


def test_progress_is_told_without_gaps(studio: Studio, worker: WorkerHandle) -> None:
    job = studio.create(steps=150)
    studio.status(job, "succeeded")
    told = studio.events(job)
    assert [event["seq"] for event in told] == list(range(2, 2 + len(told)))  # 1 is the acceptance's own
    names = [name(event) for event in told]
    assert names == ["generation.running", *["generation.progress"] * (len(told) - 2), "generation.succeeded"]
    progress = told[1:-1]
    assert progress
    assert [event["step"] for event in progress] == sorted({event["step"] for event in progress})
    assert all(event["steps"] == 150 for event in progress)
    assert progress[-1]["eta_seconds"] is not None
    assert progress[-1]["preview"].startswith("data:image/webp;base64,")
    assert studio.row(job)["event_seq"] == told[-1]["seq"]


def test_a_cancel_ends_the_rendering(studio: Studio, worker: WorkerHandle) -> None:
    held = studio.held()
    job = studio.create(**LONG)
    studio.until(job, lambda row: row["step"] > 0)
    studio.cancel(job)
    row = studio.status(job, "canceled", "succeeded")
    assert row["status"] == "canceled"
    assert row["step"] < LONG["steps"]
    assert studio.entries(job) == ["hold", "release"]
    assert studio.held() == held
    assert studio.objects(job) == []
    assert name(studio.events(job)[-1]) == "generation.canceled"


def test_a_long_jobs_wake_up_is_renewed_while_it_is_worked_on(studio: Studio, worker: WorkerHandle) -> None:
    job = studio.create(steps=10_000)
    studio.until(job, lambda row: row["step"] > 0)
    index = unacked_index_key(studio.keys.env)
    ((_, taken),) = studio.valkey.zrange(index, 0, -1, withscores=True)
    studio.until(job, lambda _: studio.valkey.zrange(index, 0, -1, withscores=True)[0][1] > taken)
    studio.cancel(job)
    studio.status(job, "canceled")
    end = time.monotonic() + 10
    while studio.valkey.zcard(index):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_wake_up_too_many_changes_nothing(studio: Studio, worker: WorkerHandle) -> None:
    job = studio.create()
    studio.wake(job)
    studio.wake(job)
    studio.status(job, "succeeded")
    end = time.monotonic() + 10
    while studio.waiting():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert (studio.row(job)["attempt"], studio.entries(job)) == (1, ["hold", "charge"])


def test_metrics_and_pace_are_told(studio: Studio, worker: WorkerHandle) -> None:
    job = studio.create()
    studio.status(job, "succeeded")
    studio.until(
        job, lambda _: bool(worker.lines("attempt ended")) and bool(studio.valkey.hget(studio.keys.pace, "tiny"))
    )
    pace: Any = studio.valkey.hget(studio.keys.pace, "tiny")
    assert float(pace) > 0
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.metrics_port}/metrics") as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    assert float(lines['generation_duration_seconds_count{model="tiny",status="succeeded"}']) >= 1
    assert float(lines['images_generated_total{model="tiny"}']) >= 1
    assert float(lines['credits_consumed_total{model="tiny"}']) >= 3


def test_a_killed_workers_job_is_finished_by_another_and_charged_once(
    studio: Studio, worker: WorkerHandle, workers: Start
) -> None:
    held = studio.held()
    job = studio.create(steps=200)
    studio.until(job, lambda row: row["step"] > 0)
    worker.end(signal.SIGKILL)
    assert (studio.waiting(), studio.depth()) == (1, 0)  # what the dead one holds wakes nobody
    orphan = studio.folder / f"images/{job}/1/0.png"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"uploaded, then killed")

    workers().ready()
    end = time.monotonic() + 60
    while studio.row(job)["attempt"] == 1:
        assert time.monotonic() < end
        studio.wake(job)  # as the sweeper would
        time.sleep(0.3)
    row = studio.status(job, "succeeded", "failed")
    assert (row["status"], row["attempt"], row["failures"]) == ("succeeded", 2, 1)
    assert studio.entries(job) == ["hold", "charge"]
    assert studio.held() == held
    assert [image["object_key"] for image in studio.images(job)] == [f"images/{job}/2/0.png"]
    assert row["reaped_at"] is None  # so the reaper looks into the folder of attempt 1
    assert f"images/{job}/1/0.png" in studio.objects(job)


def test_a_worker_that_is_told_to_end_hands_its_job_back(studio: Studio, last_worker: WorkerHandle) -> None:
    studio.valkey.delete(*studio.lists)  # what the killed one held, and wake-ups too many
    job = studio.create(steps=600)
    studio.until(job, lambda row: row["step"] > 0)
    assert healthy(studio.settings)
    begun = time.monotonic()
    assert last_worker.end(signal.SIGTERM) == 0
    assert time.monotonic() - begun < WORKER.grace_seconds / 5
    row = studio.row(job)
    assert (row["status"], row["attempt"], row["failures"], row["published_at"]) == ("queued", 1, 0, None)
    assert studio.entries(job) == ["hold"]
    assert studio.objects(job) == []
    assert studio.waiting() == 0
    assert [line["status"] for line in last_worker.lines("attempt ended")][-1] == "queued"
