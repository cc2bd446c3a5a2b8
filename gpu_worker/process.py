"""What a worker process opens when Celery starts it, and closes when it ends."""

import os
import sys
import time
from typing import Any, ClassVar

from celery import bootsteps
from celery.worker import state
from prometheus_client import CollectorRegistry, start_http_server

from gpu_worker.disruption import Disruption, own_pod
from gpu_worker.drain import Drain
from gpu_worker.models.cache import ModelCache
from gpu_worker.models.errors import ModelError
from gpu_worker.pool import TaskPool, wake_hub
from gpu_worker.presence import Presence, worker_name
from gpu_worker.request import TextToImage
from gpu_worker.runner import Runner
from services.kernel.logs import get_logger
from services.kernel.metrics import WorkerMetrics
from services.kernel.settings import Settings

log = get_logger("worker")


class WorkerProcess:
    """The parts of one worker; `open` and `close` are called by Celery's bootstep below."""

    runner: Runner

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = CollectorRegistry()
        self.drain = Drain()
        self.disruption = Disruption(own_pod(settings))
        self._presence: Presence | None = None
        self._server: Any = None
        self._loading = False

    def open(self, pool: TaskPool) -> None:
        """Loads torch and the default model in the thread that will render, so that the first job is quick.

        Raises:
            SettingMissingError, ValueError: the settings do not suffice; the message says which.
        """
        name = worker_name()
        self._presence = presence = Presence(self.settings, name)
        metrics = WorkerMetrics(self.registry)
        self._loading = True
        self.drain.install(self.stop, self._abandon)
        # Before a model is loaded, which takes a minute or fails: a container before this one may have died at work.
        self.disruption.start()

        def prepare() -> None:
            from gpu_worker.models import sdxl  # noqa: F401 (diffusers takes seconds to import)
            from gpu_worker.models.device import Device

            models = ModelCache(self.settings.models_dir, Device(self.settings))
            self.runner = Runner(
                self.settings,
                name=name,
                models=models,
                drain=self.drain,
                presence=presence,
                disruption=self.disruption,
                metrics=metrics,
            )
            warm(models, self.settings.default_model)

        begun = time.monotonic()
        pool.run(prepare)
        if self.settings.metrics_port:
            self._server, _ = start_http_server(self.settings.metrics_port, registry=self.registry)
        presence.start()
        self._loading = False
        log.info("ready", worker=name, seconds=round(time.monotonic() - begun, 1))

    def close(self) -> None:
        if self._presence is not None:
            self._presence.stop()
        self.disruption.close()
        if self._server is not None:
            self._server.shutdown()
        if hasattr(self, "runner"):
            self.runner.close()

    def stop(self, exit_code: int) -> None:
        """Tells Celery to end; pod and node are let go at once, since the job is handed back at its next step.

        A worker that still loads has no job to hand back, and Celery would end it only when it has loaded.
        """
        if self._loading:
            self.disruption.close()
            sys.stdout.flush()
            os._exit(exit_code)
        self.disruption.drain()
        _stop_celery(exit_code)

    def _abandon(self) -> None:
        if hasattr(self, "runner"):
            self.runner.abandon()


def warm(models: ModelCache, name: str) -> None:
    """Loads a model and renders one step of it; a model that is not there or not whole costs a line in the log."""
    try:
        with models.use(name) as model:
            request = TextToImage("", "", name, 128, 128, steps=1, guidance_scale=2.0, seed=0, n=1)
            model.render(request, 0, lambda step, latents: None)
    except (ModelError, OSError) as error:
        log.warning("default model not loaded", reason=str(error))


def _stop_celery(exit_code: int) -> None:
    state.should_stop = exit_code
    wake_hub()


class ProcessStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Opens the process between the pool's start and the consumer's, closes it after the pool's end."""

    requires: ClassVar[set[str]] = {"celery.worker.components:Pool"}
    process: ClassVar[WorkerProcess]

    def start(self, worker: Any) -> None:
        self.process.open(worker.pool)

    def stop(self, worker: Any) -> None:
        worker.pool.stop()
        self.process.close()

    def terminate(self, worker: Any) -> None:
        self.process.close()


def step_for(process: WorkerProcess) -> type[ProcessStep]:
    """A bootstep bound to this process; Celery makes the instance itself and passes it nothing of ours."""
    return type("BoundProcessStep", (ProcessStep,), {"process": process, "name": "pingvas.process"})
