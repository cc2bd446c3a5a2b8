"""Pictures: their owner's alone, gone when deleted, and nothing left behind."""

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from services.kernel.jobs import attempt_folder
from services.kernel.settings import Settings
from services.kernel.storage import ObjectMissingError, Storage
from tests.services.gallery.conftest import Picture
from tests.support.tenants import Registry, Tenant

PATH = "/api/v1/images"
Commit = Callable[[Tenant], Picture]


async def test_listed_seen_and_read(client: httpx.AsyncClient, ada: Tenant, picture: Commit) -> None:
    made = [picture(ada) for _ in range(3)]
    page = (await client.get(PATH, params={"limit": 2}, headers=ada.headers)).json()
    rest = (await client.get(PATH, params={"cursor": page["next_cursor"]}, headers=ada.headers)).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == [str(one.id) for one in reversed(made)]
    assert rest["next_cursor"] is None
    of_one = await client.get(PATH, params={"generation_id": str(made[0].generation_id)}, headers=ada.headers)
    assert [item["id"] for item in of_one.json()["items"]] == [str(made[0].id)]
    one = (await client.get(f"{PATH}/{made[0].id}", headers=ada.headers)).json()
    assert (one["seed"], one["sha256"], one["starred"]) == (7, "0102", False)
    original = await client.get(one["url"], headers=ada.headers)
    assert (original.content, original.headers["content-type"]) == (b"png", "image/png")
    again = await client.get(one["url"], headers={**ada.headers, "If-None-Match": original.headers["etag"]})
    assert again.status_code == 304
    thumbnail = await client.get(one["thumbnail_url"], headers=ada.headers)
    assert (thumbnail.content, thumbnail.headers["content-type"]) == (b"webp", "image/webp")


@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("GET", "/original"), ("GET", "/thumbnail"), ("DELETE", "")])
async def test_another_tenants_picture_is_404(
    client: httpx.AsyncClient, ada: Tenant, eve: Tenant, picture: Commit, method: str, tail: str
) -> None:
    made = picture(ada)
    answer = await client.request(method, f"{PATH}/{made.id}{tail}", headers=eve.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "image_not_found")
    assert (await client.get(PATH, headers=eve.headers)).json()["items"] == []
    assert (await client.get(f"{PATH}/{made.id}", headers=ada.headers)).status_code == 200


async def test_deleted_is_gone_at_once_and_its_objects_soon(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, picture: Commit, registry: Registry, settings: Settings
) -> None:
    made = picture(ada)
    assert (await client.delete(f"{PATH}/{made.id}", headers=ada.headers)).status_code == 204
    assert (await client.get(f"{PATH}/{made.id}/original", headers=ada.headers)).status_code == 404
    assert (await client.delete(f"{PATH}/{made.id}", headers=ada.headers)).status_code == 404
    await app.state.reaper.reap()
    assert registry.rows("SELECT id FROM images WHERE id = :id", id=made.id) == []
    storage = Storage(settings.storage_url)
    for key in (made.key, made.thumbnail):
        with pytest.raises(ObjectMissingError):
            await storage.get(key)


async def test_what_a_dead_worker_uploaded_goes_and_what_was_committed_stays(
    client: httpx.AsyncClient, app: FastAPI, ada: Tenant, picture: Commit, settings: Settings
) -> None:
    made = picture(ada)
    storage = Storage(settings.storage_url)
    orphan = f"{attempt_folder(made.generation_id, 2)}0.png"
    storage.put(orphan, b"png", "image/png")
    await app.state.reaper.reap()
    with pytest.raises(ObjectMissingError):
        await storage.get(orphan)
    assert (await client.get(f"{PATH}/{made.id}/original", headers=ada.headers)).content == b"png"


async def test_an_object_that_vanished_is_404_and_no_trace(
    client: httpx.AsyncClient, ada: Tenant, picture: Commit, settings: Settings
) -> None:
    made = picture(ada)
    await Storage(settings.storage_url).delete_async([made.key])
    answer = await client.get(f"{PATH}/{made.id}/original", headers=ada.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "image_not_found")
