"""The worker's Celery application: `celery -A gpu_worker.app worker`, or `python -m gpu_worker`.

`app` is made from the environment when it is first asked for; importing this module reads nothing.
"""

import logging
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.signals import setup_logging

from gpu_worker.process import WorkerProcess, step_for
from gpu_worker.tasks import register
from services.kernel import logs
from services.kernel.queue import celery_app
from services.kernel.settings import Settings

_made: dict[str, Celery] = {}


def create_app(settings: Settings) -> Celery:
    """The application of one worker process."""
    app = celery_app(settings)
    app.conf.update(
        worker_pool="gpu_worker.pool:TaskPool",  # threads: a forked child would hang in the parent's torch
        worker_soft_shutdown_timeout=0,  # `gpu_worker.drain` ends the process instead
        worker_enable_remote_control=False,  # nobody asks; it would keep a subscription and a channel open
        worker_redirect_stdouts=False,
    )
    process = WorkerProcess(settings)
    register(app, process)
    app.steps["worker"].add(step_for(process))

    def configure(**_: Any) -> None:
        logs.configure(settings, "gpu-worker")
        for chatty in ("celery.worker.strategy", "celery.app.trace"):
            # Each wake-up's arrival and end; our own line says more.
            logging.getLogger(chatty).setLevel(logging.ERROR)
        # What Celery thinks of root, with JSON messages alone, and of a default of its next version.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

    setup_logging.connect(configure, weak=False)
    return app


def __getattr__(name: str) -> Celery:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _made:
        _made[name] = create_app(Settings())
    return _made[name]
