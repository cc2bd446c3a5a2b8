"""What the generation service's process holds besides the kernel."""

from dataclasses import dataclass
from typing import cast

from fastapi import Request

from services.generation.census import Census
from services.generation.dispatcher import Dispatcher
from services.generation.estimate import Estimator
from services.generation.streams import Wakes
from services.kernel.metrics import QueueMetrics


@dataclass(frozen=True, slots=True)
class Parts:
    dispatcher: Dispatcher
    estimator: Estimator
    wakes: Wakes
    metrics: QueueMetrics
    census: Census


def parts_of(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)
