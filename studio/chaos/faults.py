"""The faults: what is killed, when, from a seed, so that a run can be repeated as far as a machine allows."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import redis

from studio.processes import kill_group

CONSUMED_SECONDS = 2.0
"""A worker is killed this long after it began to consume, at the earliest: on a slow machine all would starve."""


@dataclass(slots=True)
class Faults:
    """Breaks a running studio from a thread until `stop`; `struck` counts what was done."""

    living: Callable[[], dict[str, int]]
    """Names and process ids of the studio's children."""
    redis_url: str
    workers_key: str
    """The sorted set in which workers show that they consume; its members end with their process id."""
    seed: int
    every: float
    """Seconds between two kills of a worker, on average."""
    progress: Callable[[], float]
    """The share of requests that have ended; Valkey goes at a third, PostgreSQL at two thirds."""
    struck: dict[str, int] = field(default_factory=dict)
    _since: dict[int, float] = field(default_factory=dict)
    """When each worker was first seen consuming."""
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311 (a plan that can be repeated, nothing secret)
        due = {"Valkey emptied and killed": 1 / 3, "PostgreSQL killed": 2 / 3}
        next_kill = time.monotonic()
        while not self._stopped.wait(0.1):
            if time.monotonic() >= next_kill and self._kill_worker(chance):
                next_kill = time.monotonic() + self.every * chance.uniform(0.5, 1.5)
            share = self.progress()
            for name, at in list(due.items()):
                if share >= at:
                    del due[name]
                    self._kill_server(name)

    def _kill_worker(self, chance: random.Random) -> bool:
        workers = self._consuming()
        if workers:
            kill_group(chance.choice(workers))
            self._count("worker killed (SIGKILL)")
        return bool(workers)

    def _consuming(self) -> list[int]:
        """Workers that consume: killing one while it still imports torch would show nothing."""
        try:
            with redis.Redis.from_url(self.redis_url, socket_timeout=2) as client:
                shown = {int(name.rpartition(b"-")[2]) for name in client.zrange(self.workers_key, 0, -1)}
        except redis.RedisError:
            return []
        alive = shown & {pid for name, pid in self.living().items() if name.startswith("worker")}
        now = time.monotonic()
        self._since = {pid: self._since.get(pid, now) for pid in alive}
        return sorted(pid for pid, since in self._since.items() if now - since >= CONSUMED_SECONDS)

    def _kill_server(self, name: str) -> None:
        if name.startswith("Valkey"):
            with redis.Redis.from_url(self.redis_url) as client:
                client.flushall()
            kill_group(self.living()["valkey"])
        else:
            # SIGQUIT is PostgreSQL's immediate shutdown: it writes nothing more and recovers at the next start.
            os.kill(self.living()["postgres"], signal.SIGQUIT)
        self._count(name)

    def _count(self, name: str) -> None:
        self.struck[name] = self.struck.get(name, 0) + 1
