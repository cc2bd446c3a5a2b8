"""The one task: a wake-up."""

from typing import Any

from celery import Celery, Task
from celery.exceptions import Reject

from blueprint.worker import TASK_RENDER
from gpu_worker.process import WorkerProcess


def register(app: Celery, process: WorkerProcess) -> Any:
    """Gives the application its task, bound to this process's runner."""

    @app.task(name=TASK_RENDER, bind=True)  # type: ignore[untyped-decorator]
    def render(task: Task, generation_id: str) -> None:
        """Works on the job that is due first. `generation_id` says whose acceptance woke us, for tracing alone."""
        if not process.runner.wake(task.request.properties["delivery_tag"]):
            raise Reject("this worker ends", requeue=True)

    return render
