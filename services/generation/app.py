"""The generation service's application."""

from fastapi import FastAPI

from services.generation.census import Census
from services.generation.dispatcher import Dispatcher
from services.generation.endpoints import router, streams
from services.generation.estimate import Estimator
from services.generation.parts import Parts
from services.generation.streams import Wakes
from services.kernel.http.app import create_service
from services.kernel.http.state import Kernel
from services.kernel.metrics import CensusMetrics, QueueMetrics
from services.kernel.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Accepts, queues and tells; holds the dispatcher, whose role `worker` sees every tenant's jobs."""
    kernel = Kernel(settings)
    metrics = QueueMetrics(kernel.registry)
    dispatcher = Dispatcher(settings, kernel.redis, metrics)
    wakes = Wakes(kernel.redis, kernel.keys)
    census = Census(dispatcher.db, kernel.redis, kernel.keys, CensusMetrics(kernel.registry))
    kernel.on_stop.append(wakes.close)
    parts = [dispatcher.running, wakes.listening, census.running]
    app = create_service(kernel, "generation", [streams, router], parts=parts)
    app.state.parts = Parts(
        dispatcher, Estimator(dispatcher.db, kernel.redis, kernel.keys, settings.jobs), wakes, metrics, census
    )
    return app
