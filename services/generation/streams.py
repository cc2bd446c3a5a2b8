"""Live events: one subscription a process wakes the readers; each reads its stream and, where that fails, the row.

A reader sees event numbers without a gap or a state that covers what it missed: if the next number is not in the
stream (capped, flushed, expired) it gets the row as it stands, numbered as the row is.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import orjson
import redis.asyncio
from redis.exceptions import RedisError

from blueprint.services import HTTP
from services.kernel import events
from services.kernel.background import background
from services.kernel.db import DatabaseUnavailableError
from services.kernel.keys import Keys
from services.kernel.logs import get_logger

log = get_logger("streams")
Snapshot = Callable[[], Awaitable[dict[str, Any] | None]]
POLL_SECONDS = 2.0
"""How often a reader looks although nothing woke it: what a lost announcement costs at most."""
LISTEN_SECONDS = 30.0
RECONNECT_SECONDS = 0.5
HEARTBEAT = b": heartbeat\n\n"


class Wakes:
    """The process's one subscription to `keys.wake`."""

    def __init__(self, client: "redis.asyncio.Redis", keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self.closing = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with background("wakes", self._listen()):
            try:
                yield
            finally:
                self.close()

    @contextmanager
    def of(self, generation_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever the generation's stream has grown."""
        woken, key = asyncio.Event(), str(generation_id)
        self._waiting[key].add(woken)
        try:
            yield woken
        finally:
            self._waiting[key].discard(woken)
            if not self._waiting[key]:
                del self._waiting[key]

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(self._keys.wake)
                    self._wake_all()
                    while True:
                        message = await subscription.get_message(timeout=LISTEN_SECONDS)
                        if message is not None:
                            for woken in self._waiting.get(message["data"].decode(), ()):
                                woken.set()
            except (RedisError, OSError) as error:
                log.warning("subscription lost", error=repr(error))
                await asyncio.sleep(RECONNECT_SECONDS)

    def close(self) -> None:
        """Ends every reader; each resumes elsewhere with its Last-Event-ID."""
        self.closing = True
        self._wake_all()

    def _wake_all(self) -> None:
        for waiting in self._waiting.values():
            for woken in waiting:
                woken.set()


class Follower:
    """One reader of one generation."""

    def __init__(
        self, wakes: Wakes, client: "redis.asyncio.Redis", keys: Keys, generation_id: UUID, row: Snapshot
    ) -> None:
        self._wakes = wakes
        self._redis = client
        self._keys = keys
        self._id = generation_id
        self._row = row

    async def lines(self, last_seen: int | None) -> AsyncIterator[bytes]:
        """Server-sent events from `last_seen` on, until the generation has ended or the service stops."""
        loop = asyncio.get_running_loop()
        with self._wakes.of(self._id) as woken:
            seq, beat = last_seen, loop.time()
            polled = False
            while not self._wakes.closing:
                woken.clear()
                news = await self._news(seq, ask_row=polled or seq is None)
                for payload in news:
                    yield encode(payload)
                    seq = payload["seq"]
                    if events.is_last(payload):
                        return
                if news:
                    beat = loop.time()
                elif loop.time() - beat >= HTTP.event_heartbeat_seconds:
                    beat = loop.time()
                    yield HEARTBEAT
                polled = not await _wait(woken, POLL_SECONDS)

    async def _news(self, seq: int | None, *, ask_row: bool) -> list[dict[str, Any]]:
        if seq is not None:
            told = await self._stream(seq)
            if told and told[0]["seq"] == seq + 1:
                return _unbroken(told)
            if not told and not ask_row:
                return []
        try:
            payload = await self._row()
        except DatabaseUnavailableError:
            return []  # the stream stays open; its reader learns the rest when the database is back
        if payload is None:
            return []
        return [payload] if seq is None or payload["seq"] > seq or events.is_last(payload) else []

    async def _stream(self, seq: int) -> list[dict[str, Any]]:
        try:
            return await events.since(self._redis, self._keys, self._id, seq)
        except (RedisError, OSError):
            return []


def encode(payload: dict[str, Any]) -> bytes:
    """One event in the wire format of the HTML standard, section 9.2."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (payload["seq"], events.name(payload).encode(), orjson.dumps(payload))


def _unbroken(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first = told[0]["seq"]
    return [payload for offset, payload in enumerate(told) if payload["seq"] == first + offset]


async def _wait(woken: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return False
    return True
