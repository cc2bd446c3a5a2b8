"""`sentinel://` against real sentinels: clients and publisher follow a failover by themselves."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel.ids import new_id
from services.kernel.queue import Publisher
from services.kernel.redis import async_client, client, close
from services.kernel.settings import Settings
from studio.processes import kill_group
from studio.valkey import Sentinels

FAILOVER_SECONDS = 30


@pytest.fixture
def sentinels(place: Path) -> Iterator[Sentinels]:
    folder = place / "sentinels"
    folder.mkdir()
    made = Sentinels(folder, password="word", down_after=0.5)
    made.start()
    yield made
    made.stop()


async def test_clients_and_publisher_follow_a_failover(sentinels: Sentinels, settings: Settings) -> None:
    there = settings.model_copy(update={"redis_url": type(settings.redis_url)(sentinels.url)})
    blocking, asynchronous, publisher = client(sentinels.url), async_client(sentinels.url), Publisher(there)
    publisher.send([(new_id(), 3, "before")])
    blocking.set("a", "1")
    assert await asynchronous.get("a") == b"1"
    assert publisher.depth() == 1
    before = sentinels.primary
    assert before.process is not None
    assert blocking.wait(2, 20_000) == 2  # the replicas have it, so the new primary will
    kill_group(before.process.pid)
    begun = time.monotonic()
    while True:
        try:
            publisher.send([(new_id(), 3, "after")])
            break
        except Exception:  # kombu and redis-py name a missing primary in several ways
            assert time.monotonic() - begun < FAILOVER_SECONDS
            await asyncio.sleep(0.2)
    assert sentinels.primary is not before
    assert publisher.depth() == 2
    assert blocking.get("a") == b"1"
    assert await asynchronous.get("a") == b"1"
    blocking.close()
    await close(asynchronous)
    publisher.close()
