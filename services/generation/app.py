"""The generation service's application."""

from fastapi import FastAPI

from services.generation.dispatcher import Dispatcher
from services.generation.endpoints import router, streams
from services.generation.estimate import Estimator
from services.generation.parts import Parts
from services.generation.streams import Wakes
from services.kernel.http.app import create_service
from services.kernel.http.state import Kernel
from services.kernel.metrics import QueueMetrics
from services.kernel.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Accepts, queues and tells; holds the dispatcher, whose role `worker` sees every tenant's jobs."""
    kernel = Kernel(settings)
    metrics = QueueMetrics(kernel.registry)
    dispatcher = Dispatcher(settings, kernel.redis, metrics)
    wakes = Wakes(kernel.redis, kernel.keys)
    kernel.on_stop.append(wakes.close)
    app = create_service(kernel, "generation", [streams, router], parts=[dispatcher.running, wakes.listening])
    app.state.parts = Parts(
        dispatcher, Estimator(dispatcher.db, kernel.redis, kernel.keys, settings.jobs), wakes, metrics
    )
    return app
