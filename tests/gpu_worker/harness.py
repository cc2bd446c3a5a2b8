"""What the worker's tests work with: the services' side of a worker, and the worker as a process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import redis
import sqlalchemy as sa

from blueprint.jobs import JOBS
from blueprint.plans import MEGAPIXEL
from blueprint.queue import unacked_key, waiting_keys
from services.kernel import jobs
from services.kernel.ids import new_id
from services.kernel.keys import Keys
from services.kernel.queue import Publisher
from services.kernel.settings import Settings
from studio.home import PROJECT

TINY = "tiny"
FIELDS = ("env", "database_worker_url", "redis_url", "storage_url", "models_dir")


class Studio:
    """What generation-service does around a worker: accepts jobs, wakes workers, asks for cancels, reads rows."""

    def __init__(self, settings: Settings, engine: sa.Engine, user: UUID, valkey: "redis.Redis", keys: Keys) -> None:
        self.settings = settings
        self.user = user
        self.valkey = valkey
        self.keys = keys
        self._engine = engine
        self._publisher = Publisher(settings)

    def close(self) -> None:
        self._publisher.close()

    def create(self, *, wake: bool = True, **request: Any) -> UUID:
        """Accepts a generation and sends its wake-up."""
        generation_id = new_id()
        body: dict[str, Any] = {
            "prompt": "a red circle",
            "negative_prompt": "",
            "model": TINY,
            "width": 64,
            "height": 64,
            "steps": 2,
            "guidance_scale": 5.0,
            "seed": 7,
            "n": 1,
            **request,
        }
        with self._engine.begin() as connection:
            connection.execute(
                jobs.CREATE,
                {
                    "id": generation_id,
                    "user_id": self.user,
                    "model": body["model"],
                    "request": json.dumps(body),
                    "warnings": "[]",
                    "price": 3,
                    "priority": 3,
                    "work": body["width"] * body["height"] * body["steps"] * body["n"] / MEGAPIXEL,
                    "idempotency_key": None,
                    "request_hash": b"",
                    "request_id": f"request-{generation_id}",
                    "retry_of": None,
                    "slice": JOBS.fairness_slice,
                    "max_active": 200,
                },
            )
        if wake:
            self.wake(generation_id)
        return generation_id

    def wake(self, generation_id: UUID) -> None:
        self._publisher.send([(generation_id, 3, f"request-{generation_id}")])

    def cancel(self, generation_id: UUID) -> None:
        with self._engine.begin() as connection:
            connection.execute(jobs.REQUEST_CANCEL, {"id": generation_id, "user_id": self.user})

    def row(self, generation_id: UUID) -> dict[str, Any]:
        return self.all("SELECT * FROM generations WHERE id = :id", id=generation_id)[0]

    def images(self, generation_id: UUID) -> list[dict[str, Any]]:
        return self.all("SELECT * FROM images WHERE generation_id = :id ORDER BY position", id=generation_id)

    def entries(self, generation_id: UUID) -> list[str]:
        """Kinds of the ledger entries of a generation, in order."""
        rows = self.all("SELECT kind FROM credit_entries WHERE generation_id = :id ORDER BY id", id=generation_id)
        return [row["kind"] for row in rows]

    def held(self) -> int:
        return int(self.all("SELECT held FROM users WHERE id = :id", id=self.user)[0]["held"])

    def all(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(statement), parameters).mappings()]

    def execute(self, statement: str, **parameters: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text(statement), parameters)

    def events(self, generation_id: UUID) -> list[dict[str, Any]]:
        """What was told, up to the row's present number: events are told a moment after their transition."""
        latest, end = self.row(generation_id)["event_seq"], time.monotonic() + 10
        while True:
            entries: Any = self.valkey.xrange(self.keys.events(generation_id))
            told = [json.loads(fields[b"event"]) for _, fields in entries]
            if told and told[-1]["seq"] >= latest:
                return told
            assert time.monotonic() < end, told
            time.sleep(0.01)

    def objects(self, generation_id: UUID) -> list[str]:
        root = self.folder
        return sorted(str(path.relative_to(root)) for path in (root / "images" / str(generation_id)).rglob("*.*"))

    def waiting(self) -> int:
        """Wake-ups that lie in Redis or are held by a worker."""
        *queues, unacked = self.lists
        return sum(int(self.valkey.llen(queue)) for queue in queues) + int(self.valkey.hlen(unacked))

    def depth(self) -> int:
        """Wake-ups that the sweeper counts on."""
        return self._publisher.depth()

    @property
    def lists(self) -> list[str]:
        """Every key that a wake-up may be in."""
        return [*waiting_keys(self.keys.env).values(), unacked_key(self.keys.env)]

    @property
    def folder(self) -> Path:
        return Path(self.settings.storage_url.removeprefix("file://"))

    def read(self, key: str) -> bytes:
        return (self.folder / key).read_bytes()

    def until(
        self, generation_id: UUID, wanted: Callable[[dict[str, Any]], bool], seconds: float = 60
    ) -> dict[str, Any]:
        """Waits until the row is as wanted."""
        end = time.monotonic() + seconds
        while not wanted(row := self.row(generation_id)):
            assert time.monotonic() < end, f"still {row}"
            time.sleep(0.01)
        return row

    def status(self, generation_id: UUID, *wanted: str) -> dict[str, Any]:
        return self.until(generation_id, lambda row: row["status"] in wanted)


class WorkerHandle:
    """A worker process as the pod runs it."""

    def __init__(self, settings: Settings, log: Path, **more: str) -> None:
        self.log = log
        self.metrics_port = 0
        self._out = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gpu_worker"],
            stdout=self._out,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env=environment(settings, more),
        )

    def ready(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while '"event":"ready"' not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def end(self, number: int = signal.SIGTERM, seconds: float = 10) -> int:
        """Ends it and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()
            self._out.close()


def environment(settings: Settings, more: Mapping[str, str]) -> dict[str, str]:
    """The variables that a worker of these settings starts with."""
    values = {
        f"PINGVAS_{name.upper()}": getattr(
            value := getattr(settings, name), "get_secret_value", lambda v=value: str(v)
        )()
        for name in (*FIELDS, "lease_seconds", "renew_seconds", "device", "threads")
    }
    return {**os.environ, **values, "PYTHONUNBUFFERED": "1", **more}
