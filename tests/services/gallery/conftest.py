"""The gallery service, and pictures as a worker commits them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from services.gallery.app import create_app
from services.kernel.ids import new_id
from services.kernel.jobs import attempt_folder
from services.kernel.settings import Settings
from services.kernel.storage import Storage
from tests.support.http import client_of
from tests.support.tenants import Registry, Tenant


@pytest.fixture(scope="session")
def app(settings: Settings) -> FastAPI:
    return create_app(settings.model_copy(update={"sweep_seconds": 3600}))


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Picture:
    """A committed picture: its row's id, its generation and its objects' keys."""

    id: UUID
    generation_id: UUID
    key: str
    thumbnail: str


@pytest.fixture
def picture(registry: Registry, settings: Settings) -> Callable[[Tenant], Picture]:
    storage = Storage(settings.storage_url)

    def commit(tenant: Tenant) -> Picture:
        generation, image = new_id(), new_id()
        folder = attempt_folder(generation, 1)
        made = Picture(image, generation, f"{folder}0.png", f"{folder}0.webp")
        registry.rows(
            "INSERT INTO generations (id, user_id, status, model, request, price, priority, work, request_hash,"
            " request_id, attempt, finished_at) VALUES (:id, :user_id, 'succeeded', 'tiny', '{}', 1, 3, 1, '', 'r', 1,"
            " now() - interval '1 hour')",
            id=generation,
            user_id=tenant.id,
        )
        registry.rows(
            "INSERT INTO images (id, user_id, generation_id, position, object_key, thumbnail_key, width, height, bytes,"
            " sha256, seed, parameters) VALUES (:id, :user_id, :generation_id, 0, :key, :thumbnail, 64, 64, 3, :sha, 7,"
            " '{}')",
            id=image,
            user_id=tenant.id,
            generation_id=generation,
            key=made.key,
            thumbnail=made.thumbnail,
            sha=b"\x01\x02",
        )
        storage.put(made.key, b"png", "image/png")
        storage.put(made.thumbnail, b"webp", "image/webp")
        return made

    return commit
