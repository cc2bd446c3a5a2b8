"""The catalogue: the table follows the folder, whatever happens to the folder, and everybody may read it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from blueprint.environments import LOCAL
from migrations import upgrade
from services.kernel.bootstrap import bootstrap
from services.kernel.db import Database
from services.kernel.settings import Settings
from services.model.app import create_app
from services.model.service import Catalogue
from studio.postgres import Postgres
from tests.support.http import client_of
from tests.support.models import ABOUT, write_model
from tests.support.tenants import Registry, Tenant

MODELS = "/api/v1/models"
UNET = "sdxl/tiny/unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def apart(postgres: Postgres, settings: Settings, passwords: dict[str, str]) -> Settings:
    """A database of its own: a catalogue retires every model that it does not find, other tests' too."""
    database = "catalogue"
    bootstrap(postgres.admin_url, LOCAL.name, passwords, database=database)
    urls = {
        name: postgres.url(LOCAL.role(role), passwords[role], database=database)
        for name, role in (("database_url", "app"), ("database_worker_url", "worker"), ("database_owner_url", "owner"))
    }
    made = Settings.model_validate({**settings.model_dump(), **urls})
    upgrade(made)
    return made


@pytest.fixture(scope="module")
def readers(apart: Settings) -> Iterator[Registry]:
    registry = Registry(apart)
    yield registry
    registry.close()


@pytest.fixture(scope="module")
def reader(readers: Registry) -> Tenant:
    return readers.tenant()


@pytest.fixture
def models(apart: Settings, readers: Registry, tmp_path: Path) -> Path:
    """An empty table and a folder with one whole model."""
    readers.rows("DELETE FROM models")
    write_model(tmp_path, "tiny")
    return tmp_path


@pytest.fixture
def there(apart: Settings, models: Path) -> Settings:
    return Settings.model_validate({**apart.model_dump(), "models_dir": models})


@pytest.fixture
async def worker(apart: Settings) -> AsyncIterator[Database]:
    database = Database(apart, role="worker")
    yield database
    await database.close()


async def test_the_list_and_one_model(there: Settings, models: Path, reader: Tenant) -> None:
    write_model(models, "broken")
    (models / "sdxl/broken/model_index.json").write_text("{")
    async with client_of(create_app(there)) as api:
        tiny, broken = (await api.get(MODELS, headers=reader.headers)).json()["items"]
        assert tiny == (await api.get(f"{MODELS}/tiny", headers=reader.headers)).json()
        assert tiny["defaults"] == {"width": 128, "height": 96, "steps": 12, "guidance_scale": 4.5}
        assert tiny["native_sizes"] == [[128, 128], [128, 96]]
        assert (tiny["title"], tiny["licence"], tiny["max_side"]) == ("Tiny", "CC0-1.0", 256)
        assert (tiny["vocabulary"], tiny["examples"]) == (["red", "circle"], ["a red circle"])
        assert (tiny["available"], tiny["reason"]) == (True, None)
        assert (broken["name"], broken["available"]) == ("broken", False)
        assert "not valid JSON" in broken["reason"]
        assert "path" not in tiny
        ready = (await api.get("/readyz")).json()
        assert ready["checks"]["models"] == "ok"


async def test_an_unknown_model_and_a_stranger(there: Settings, reader: Tenant) -> None:
    async with client_of(create_app(there)) as api:
        for name in ("nope", "..", "TINY", "tiny%20"):
            response = await api.get(f"{MODELS}/{name}", headers=reader.headers)
            assert response.status_code in (404, 307)
        response = await api.get(f"{MODELS}/nope", headers=reader.headers)
        assert response.json()["code"] == "model_not_found"
        assert (await api.get(f"{MODELS}/%00", headers=reader.headers)).status_code == 422
        assert (await api.get(f"{MODELS}/{'x' * 101}", headers=reader.headers)).status_code == 422
        assert (await api.get(MODELS)).status_code == 401
        assert (await api.get(f"{MODELS}/tiny")).status_code == 401


async def test_a_missing_folder_is_an_empty_list_and_not_ready(
    apart: Settings, readers: Registry, reader: Tenant, tmp_path: Path
) -> None:
    readers.rows("DELETE FROM models")
    nowhere = Settings.model_validate({**apart.model_dump(), "models_dir": tmp_path / "nowhere"})
    async with client_of(create_app(nowhere)) as api:
        assert (await api.get(MODELS, headers=reader.headers)).json() == {"items": []}
        ready = await api.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"] == {"database": "ok", "redis": "ok", "models": "ModelsFolderMissingError"}
        assert (await api.get("/healthz")).status_code == 200


async def test_taking_it_in_again_changes_nothing(there: Settings, worker: Database, readers: Registry) -> None:
    catalogue = Catalogue(there)
    assert await catalogue.sync(worker) == 1
    before = readers.rows("SELECT * FROM models")
    assert await catalogue.sync(worker) == 0
    assert await Catalogue(there).sync(worker) == 0
    assert readers.rows("SELECT * FROM models") == before
    assert before[0]["user_id"] is None


async def test_the_table_follows_the_folder(there: Settings, models: Path, worker: Database, readers: Registry) -> None:
    catalogue = Catalogue(there)

    async def state() -> dict[str, Any]:
        await catalogue.sync(worker)
        rows = readers.rows("SELECT id, available, title, defaults->>'reason' AS reason FROM models")
        assert len(rows) == 1
        return dict(rows[0])

    whole = await state()
    assert whole["available"]
    (models / "sdxl/tiny/pingvas.json").write_text(json.dumps(ABOUT | {"title": "Renamed"}))
    assert (await state())["title"] == "Renamed"
    weights = (models / UNET).read_bytes()
    (models / UNET).write_bytes(weights[:20])
    broken = await state()
    assert (broken["available"], "cut off" in broken["reason"]) == (False, True)
    shutil.move(models / "sdxl/tiny", models / "away")
    gone = await state()
    assert (gone["available"], "gone" in gone["reason"]) == (False, True)
    assert await catalogue.sync(worker) == 0
    shutil.move(models / "away", models / "sdxl/tiny")
    (models / UNET).write_bytes(weights)
    back = await state()
    assert (back["available"], back["reason"], back["id"]) == (True, None, whole["id"])


async def test_replicas_at_once_write_one_row(there: Settings, worker: Database, readers: Registry) -> None:
    changed = await asyncio.gather(*(Catalogue(there).sync(worker) for _ in range(6)))
    assert sum(changed) == 1
    assert len(readers.rows("SELECT id FROM models")) == 1


async def test_users_own_models_are_left_alone(
    there: Settings, worker: Database, readers: Registry, reader: Tenant
) -> None:
    readers.rows(
        "INSERT INTO models (id, user_id, name, kind, base, path, title, description, licence, defaults)"
        " VALUES (:id, :id, 'tiny', 'lora', 'sdxl', 'x', 'Mine', '', '', '{}')",
        id=reader.id,
    )
    await Catalogue(there).sync(worker)
    mine = readers.rows("SELECT title, available FROM models WHERE user_id IS NOT NULL")
    assert [dict(row) for row in mine] == [{"title": "Mine", "available": True}]
    async with client_of(create_app(there)) as api:
        items = (await api.get(MODELS, headers=reader.headers)).json()["items"]
        assert [item["title"] for item in items] == ["Tiny"]


async def test_it_looks_again_by_itself_and_outlives_trouble(there: Settings, models: Path, readers: Registry) -> None:
    async def until(available: bool) -> None:
        for _ in range(500):
            if readers.rows("SELECT available FROM models")[0]["available"] is available:
                return
            await asyncio.sleep(0.01)
        pytest.fail(f"available did not become {available}")

    async with Catalogue(there, every=0.02).running():
        await until(True)
        shutil.move(models, models.with_suffix(".away"))
        await until(False)
        shutil.move(models.with_suffix(".away"), models)
        await until(True)


async def test_the_service_starts_while_the_worker_role_cannot_be_reached(there: Settings, reader: Tenant) -> None:
    url = "postgresql+psycopg://nobody:x@127.0.0.1:1/none"
    lonely = Settings.model_validate({**there.model_dump(), "database_worker_url": url})
    async with client_of(create_app(lonely)) as api:
        assert (await api.get(MODELS, headers=reader.headers)).json() == {"items": []}
