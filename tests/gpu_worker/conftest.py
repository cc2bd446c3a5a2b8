"""Real workers: Celery processes on the real PostgreSQL and Valkey, with tiny SDXL models that torch really runs."""

import warnings
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
from studio.processes import free_port
from tests.gpu_worker.harness import TINY, Studio, WorkerHandle

CREDITS = 1000


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one tiny SDXL in it."""
    from tests.gpu_worker.tiny import build

    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what diffusers and transformers say to each other
        build(folder / "sdxl" / TINY)
    return folder


@pytest.fixture(scope="session")
def settings(new_settings: Callable[[str], Settings]) -> Settings:
    """A queue of our own: these workers take the job that is due first, whoever left it there."""
    return new_settings("worker")


@pytest.fixture(scope="session")
def worker_settings(settings: Settings, models: Path, place: Path) -> Settings:
    """Short leases, the tiny model, a folder of its own for objects."""
    objects = place / "worker-images"
    objects.mkdir()
    return settings.model_copy(
        update={
            "models_dir": models,
            "storage_url": objects.as_uri(),
            "lease_seconds": 4.0,
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
    worker_settings: Settings, tmp_path_factory: pytest.TempPathFactory, _started: list[WorkerHandle]
) -> Iterator[Callable[..., WorkerHandle]]:
    """Starts workers, and ends those that a test leaves."""
    started = _started
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
        port = free_port()
        _shared.append(workers(PINGVAS_METRICS_PORT=str(port)))
        _shared[-1].metrics_port = port
        _shared[-1].ready()
    return _shared[-1]


@pytest.fixture
def last_worker(workers: Callable[..., WorkerHandle], _started: list[WorkerHandle]) -> WorkerHandle:
    """The one that was started last and still lives."""
    alive = [worker for worker in _started if worker.process.poll() is None]
    if not alive:
        workers().ready()
    for worker in alive[:-1]:
        worker.end()
    return _started[-1]


@pytest.fixture(scope="session")
def _started() -> list[WorkerHandle]:
    return []


@pytest.fixture(scope="session")
def _shared() -> list[WorkerHandle]:
    return []
