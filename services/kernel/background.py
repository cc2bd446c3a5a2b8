"""Work that a service does beside its requests, for as long as it lives."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from services.kernel.logs import get_logger

log = get_logger("background")
AGAIN_SECONDS = 1.0
"""A task that was told to end and has not is told again this much later: time to give its connection back."""


@asynccontextmanager
async def background(name: str, work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does `work` beside the block, and returns only once it has ended.

    Once is not enough: `asyncio.wait_for` before Python 3.12 loses a cancellation that meets its result
    (https://github.com/python/cpython/issues/81839), and redis-py sends every command through it.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_tell)
    try:
        yield
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=AGAIN_SECONDS)


def _tell(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("background work ended", work=task.get_name(), exc_info=error)
