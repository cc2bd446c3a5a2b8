"""A worker process from wake-up to the end of its job."""


import pytest

from tests.gpu_worker.harness import Studio, WorkerHandle

pytestmark = pytest.mark.model


def test_a_wake_up_becomes_committed_images(studio: Studio, worker: WorkerHandle) -> None:
    job = studio.create(n=2, prompt="a café\non a hill", negative_prompt="rain", guidance_scale=3.5)
    row = studio.status(job, "succeeded", "failed")
    assert row["status"] == "succeeded", row["error_message"]
    images = studio.images(job)
    print(worker.lines("attempt ended"))
