"""Real workers: Celery processes on the real PostgreSQL and Valkey, with tiny SDXL models that torch really runs."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
import redis
import sqlalchemy as sa

from services.kernel.db import sync_engine
from services.kernel.ids import new_id
from services.kernel.keys import Keys
from services.kernel.ledger import GRANT
from services.kernel.redis import client
from services.kernel.settings import Settings
from tests.gpu_worker.harness import TINY, Studio, WorkerHandle

CREDITS = 1000


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one tiny SDXL in it; made by a process of its own, which keeps torch out of this one."""
    folder = tmp_path_factory.mktemp("models")
    place = folder / "sdxl" / TINY
    tool = Path(__file__).with_name("tiny.py")
    code = f"import sys; sys.path.insert(0, {str(tool.parent)!r}); import tiny; tiny.build(tiny.Path({str(place)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def worker_settings(settings: Settings, models: Path, place: Path) -> Settings:
    """Short leases, the tiny model, a folder of its own for objects."""
    objects = place / "worker-images"
    objects.mkdir()
    return settings.model_copy(
        update={
            "models_dir": models,
            "storage_url": objects.as_uri(),
            "lease_seconds": 2.0,
            "renew_seconds": 0.1,
            "device": "cpu",
            "threads": 1,
        }
    )


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[sa.Engine]:
    made = sync_engine(settings, role="worker")
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def keys(settings: Settings) -> Keys:
    return Keys(settings.env)


@pytest.fixture(scope="session")
def valkey_client(settings: Settings) -> "Iterator[redis.Redis]":
    made = client(settings.redis_url.get_secret_value())
    yield made
    made.close()


@pytest.fixture(scope="session")
def user(engine: sa.Engine) -> UUID:
    """Somebody with credits."""
    user_id = new_id()
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO users (id, email, display_name, plan) VALUES (:id, :email, 'W', 'pro')"),
            {"id": user_id, "email": f"{user_id}@example.com"},
        )
        grant = {"user_id": user_id, "amount": CREDITS, "business_key": "order:test"}
        connection.execute(GRANT, grant)
    return user_id


@pytest.fixture(scope="session")
def _studio(
    worker_settings: Settings, engine: sa.Engine, user: UUID, valkey_client: "redis.Redis", keys: Keys
) -> Iterator[Studio]:
    made = Studio(worker_settings, engine, user, valkey_client, keys)
    yield made
    made.close()


@pytest.fixture
def studio(_studio: Studio) -> Iterator[Studio]:
    """Leaves no job behind for the next test."""
    yield _studio
    _studio.execute("UPDATE users SET held = 0 WHERE id = :id", id=_studio.user)
    _studio.execute("DELETE FROM generations WHERE user_id = :id", id=_studio.user)


@pytest.fixture(scope="session")
def workers(
    worker_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., WorkerHandle]]:
    """Starts workers, and ends those that a test leaves."""
    started: list[WorkerHandle] = []
    folder = tmp_path_factory.mktemp("workers")

    def start(**more: str) -> WorkerHandle:
        started.append(WorkerHandle(worker_settings, folder / f"{len(started)}.log", **more))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.end()


@pytest.fixture
def worker(workers: Callable[..., WorkerHandle], _shared: list[WorkerHandle]) -> WorkerHandle:
    """A worker that is up; shared by the tests that do not end it."""
    if not _shared or _shared[-1].process.poll() is not None:
        _shared.append(workers())
        _shared[-1].ready()
    return _shared[-1]


@pytest.fixture(scope="session")
def _shared() -> list[WorkerHandle]:
    return []
