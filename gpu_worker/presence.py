"""Signs of life: a sorted set that the ETA counts workers by and that the pod's probe reads.

A sign says that wake-ups are being consumed, not that a process exists: a worker that renders, or has consumed lately,
or has nothing to consume, signs; one that sits idle while wake-ups wait does not, and is restarted.

With its sign a busy worker renews its wake-up, as the heartbeat renews the job's lease: what KEDA counts as in flight
is what is worked on, however long it takes.
"""

import os
import socket
import threading
import time

from redis.exceptions import RedisError

from blueprint.jobs import JOBS
from blueprint.queue import unacked_index_key, waiting_keys
from services.kernel.keys import Keys
from services.kernel.logs import get_logger
from services.kernel.redis import client
from services.kernel.settings import Settings

log = get_logger("presence")
SIGN_EVERY = JOBS.worker_seen / 5
DEAF_AFTER = 60.0
"""Seconds of idleness beside waiting wake-ups after which a worker counts as deaf; far beyond a reconnection."""
STUCK_AFTER = 600.0
"""Seconds without a step, the loading of a model included, after which a job counts as stuck."""
FORGET_AFTER = 3600.0


def worker_name() -> str:
    """`<host>-<process>`: in the cluster the host is the pod."""
    return f"{socket.gethostname()}-{os.getpid()}"


class Presence:
    """Signs in a thread of its own while the worker lives."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._redis = client(settings.redis_url.get_secret_value())
        self._keys = Keys(settings.env)
        self._name = name
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._last = time.monotonic()
        self._busy = False
        self._tag: str | None = None

    def start(self) -> None:
        self._last = time.monotonic()
        self._thread.start()

    def take(self, tag: str) -> None:
        """The wake-up of this delivery tag is being worked on."""
        self._tag = tag
        self.busy()

    def busy(self) -> None:
        """The job of a wake-up has made a step."""
        self._busy, self._last = True, time.monotonic()

    def idle(self) -> None:
        """It is done."""
        self._tag = None
        self._busy, self._last = False, time.monotonic()

    def stop(self) -> None:
        """Takes the name off the list."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(SIGN_EVERY)
        try:
            self._redis.zrem(self._keys.workers, self._name)
        except RedisError as error:
            log.warning("sign not withdrawn", error=repr(error))
        self._redis.close()

    def _run(self) -> None:
        while True:
            try:
                if self._consumes():
                    self._sign()
                else:
                    log.error("no sign: wake-ups wait and are not consumed")
            except RedisError as error:
                log.warning("no sign", error=repr(error))
            if self._ended.wait(SIGN_EVERY):
                return

    def _consumes(self) -> bool:
        still = time.monotonic() - self._last
        if self._busy:
            return still < STUCK_AFTER
        if still < DEAF_AFTER:
            return True
        if self._redis.exists(*waiting_keys(self._keys.env).values()):
            return False
        self._last = time.monotonic()
        return True

    def _sign(self) -> None:
        now, tag = time.time(), self._tag
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(self._keys.workers, {self._name: now})
            pipe.zremrangebyscore(self._keys.workers, "-inf", now - FORGET_AFTER)
            if tag is not None:
                # xx: one that was acknowledged meanwhile stays away.
                pipe.zadd(unacked_index_key(self._keys.env), {tag: now}, xx=True)
            pipe.execute()


def healthy(settings: Settings) -> bool:
    """Whether a worker of this host has signed lately; True too while Redis is away, which no restart would mend."""
    redis = client(settings.redis_url.get_secret_value())
    host = socket.gethostname()
    try:
        lately = redis.zrangebyscore(Keys(settings.env).workers, time.time() - JOBS.worker_seen, "+inf")
    except RedisError:
        return True
    finally:
        redis.close()
    return any(isinstance(name, bytes) and name.decode().rpartition("-")[0] == host for name in lately)
