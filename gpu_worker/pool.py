"""Celery's thread pool, with a hub that hears at once when the thread is free.

The broker is asked for the next wake-up only while nothing is reserved (`worker_disable_prefetch`), and the hub looks
at that once an iteration. A finished task wakes it to acknowledge, a moment before it is taken off the reserved ones:
without the second call the next job would wait for the hub's timeout, up to a second.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from celery.concurrency.thread import ApplyResult
from celery.concurrency.thread import TaskPool as ThreadPool
from kombu.asynchronous import get_event_loop


class TaskPool(ThreadPool):  # type: ignore[misc]
    """One thread that renders; see above."""

    def on_apply(self, *args: Any, **options: Any) -> ApplyResult:
        result = super().on_apply(*args, **options)
        result.f.add_done_callback(_wake_hub)
        return result

    def run(self, work: Callable[[], object]) -> None:
        """Runs something in the thread that will render, and waits for it."""
        self.executor.submit(work).result()


def wake_hub() -> None:
    """Makes the main thread's event loop go round once; from any other thread."""
    hub = get_event_loop()
    if hub is not None:
        hub.call_soon(_nothing)


def _wake_hub(_: "Future[Any]") -> None:
    wake_hub()


def _nothing() -> None:
    """What the hub is woken for: its next look at the queue."""
