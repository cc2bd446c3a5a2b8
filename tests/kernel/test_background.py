"""Background work ends with its service, whatever the libraries it waits in do with a cancellation."""

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from services.kernel import background as module
from services.kernel.background import background
from services.kernel.redis import async_client, close
from services.kernel.settings import Settings

WINDOW = 40
"""A command to a server on the same machine takes fewer turns of the loop."""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)


async def test_work_that_loses_a_cancellation_is_told_again() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        for _ in range(2):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            lost += 1
        await asyncio.sleep(3600)

    async with asyncio.timeout(10), background("deaf", deaf()):
        await asyncio.sleep(0)
    assert lost == 2


async def test_work_ends_in_whatever_turn_of_a_redis_command_it_is_told(settings: Settings) -> None:
    """redis-py before Python 3.12 loses a cancellation in about one of ten of these."""
    client = async_client(settings.redis_url.get_secret_value())

    async def work() -> None:
        while True:
            await client.get("nothing")

    await client.get("nothing")  # connected
    for turns in range(WINDOW):
        async with asyncio.timeout(10), background("reader", work()):
            for _ in range(turns):
                await asyncio.sleep(0)
    await close(client)


async def test_work_that_fails_is_told_and_leaves_the_block_alone() -> None:
    async def broken() -> None:
        raise ValueError("no")

    with capture_logs() as told:
        async with background("broken", broken()):
            await asyncio.sleep(0.01)
    assert [(line["log_level"], line["work"], str(line["exc_info"])) for line in told] == [("error", "broken", "no")]


async def test_what_the_block_raises_comes_out_and_the_work_ends() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    with pytest.raises(KeyError):
        async with background("work", work()):
            await asyncio.sleep(0)
            raise KeyError
    assert ended.is_set()
