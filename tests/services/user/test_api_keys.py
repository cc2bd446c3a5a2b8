"""API keys: shown once, limited to their scopes, revoked for good, and never a way to more."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from blueprint.security import SECURITY
from services.kernel.settings import Settings
from services.kernel.tokens import secret_hash
from services.payment.app import create_app as create_payment
from tests.support.http import client_of
from tests.support.tenants import Registry, Tenant

KEYS, ME = "/api/v1/api-keys", "/api/v1/me"


async def make(api: httpx.AsyncClient, who: Tenant, *scopes: str, **more: Any) -> dict[str, Any]:
    response = await api.post(KEYS, headers=who.headers, json={"name": "Script", "scopes": list(scopes), **more})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def bearer(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(
    api: httpx.AsyncClient, registry: Registry, ada: Tenant
) -> None:
    made = await make(api, ada, "profile", "gallery", "profile", expires_in_days=30)
    assert made["key"].startswith(made["prefix"])
    assert made["scopes"] == ["profile", "gallery"]
    listed = await api.get(KEYS, headers=ada.headers)
    assert made["key"] not in listed.text
    (item,) = listed.json()["items"]
    assert item == {name: value for name, value in made.items() if name != "key"}
    (row,) = registry.rows("SELECT * FROM api_keys WHERE id = :id", id=made["id"])
    assert bytes(row["key_hash"]) == secret_hash(made["key"])
    assert made["key"] not in str(dict(row))
    assert (row["expires_at"] - row["created_at"]).days == 30


async def test_a_key_opens_what_its_scopes_say(api: httpx.AsyncClient, settings: Settings, ada: Tenant) -> None:
    made = await make(api, ada, "credits")
    refused = await api.get(ME, headers=bearer(made))
    assert (refused.status_code, refused.json()["code"], refused.json()["scope"]) == (403, "scope_missing", "profile")
    async with client_of(create_payment(settings)) as payment:
        assert (await payment.get("/api/v1/credits", headers=bearer(made))).json()["balance"] == 100
    (item,) = (await api.get(KEYS, headers=ada.headers)).json()["items"]
    assert item["last_used_at"] is not None


async def test_a_key_cannot_make_or_revoke_keys(api: httpx.AsyncClient, ada: Tenant) -> None:
    made = await make(api, ada, "profile", "credits", "generate", "gallery", "models")
    assert (await api.get(ME, headers=bearer(made))).status_code == 200
    more = await api.post(KEYS, headers=bearer(made), json={"name": "More", "scopes": ["profile"]})
    assert (more.status_code, more.json()["code"]) == (403, "session_required")
    end = await api.delete(f"{KEYS}/{made['id']}", headers=bearer(made))
    assert (end.status_code, end.json()["code"]) == (403, "session_required")


async def test_a_revoked_key_opens_nothing(api: httpx.AsyncClient, ada: Tenant) -> None:
    made = await make(api, ada, "profile")
    assert (await api.delete(f"{KEYS}/{made['id']}", headers=ada.headers)).status_code == 204
    refused = await api.get(ME, headers=bearer(made))
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
    assert (await api.get(KEYS, headers=ada.headers)).json() == {"items": []}
    again = await api.delete(f"{KEYS}/{made['id']}", headers=ada.headers)
    assert (again.status_code, again.json()["code"]) == (404, "api_key_not_found")


async def test_an_expired_key_opens_nothing(api: httpx.AsyncClient, registry: Registry, ada: Tenant) -> None:
    made = await make(api, ada, "profile", expires_in_days=1)
    registry.rows("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = :id", id=made["id"])
    assert (await api.get(ME, headers=bearer(made))).status_code == 401


async def test_others_keys_do_not_exist(api: httpx.AsyncClient, ada: Tenant, eve: Tenant) -> None:
    made = await make(api, ada, "profile")
    for key_id in (made["id"], str(uuid4())):
        response = await api.delete(f"{KEYS}/{key_id}", headers=eve.headers)
        assert (response.status_code, response.json()["code"]) == (404, "api_key_not_found")
    assert (await api.get(KEYS, headers=eve.headers)).json() == {"items": []}
    assert (await api.get(ME, headers=bearer(made))).status_code == 200


async def test_the_number_of_keys_is_limited_also_at_once(api: httpx.AsyncClient, ada: Tenant) -> None:
    body = {"name": "Many", "scopes": ["gallery"]}
    answers = await asyncio.gather(
        *(api.post(KEYS, headers=ada.headers, json=body) for _ in range(SECURITY.api_keys_maximum + 4))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * SECURITY.api_keys_maximum + [409] * 4
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert (refused["code"], refused["limit"]) == ("too_many_api_keys", SECURITY.api_keys_maximum)
    listed = (await api.get(KEYS, headers=ada.headers)).json()["items"]
    await api.delete(f"{KEYS}/{listed[0]['id']}", headers=ada.headers)
    assert (await api.post(KEYS, headers=ada.headers, json=body)).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["admin"]},
        {"name": "x", "scopes": "profile"},
        {"name": "", "scopes": ["profile"]},
        {"name": "x\x00", "scopes": ["profile"]},
        {"name": "x", "scopes": ["profile"], "expires_in_days": 0},
        {"name": "x", "scopes": ["profile"], "expires_in_days": 10**30},
        {"name": "x", "scopes": ["profile"], "user_id": "01a200b5-a11a-7ce0-8b1d-8c0b0624869b"},
    ],
    ids=str,
)
async def test_a_bad_request_makes_no_key(api: httpx.AsyncClient, ada: Tenant, body: dict[str, object]) -> None:
    assert (await api.post(KEYS, headers=ada.headers, json=body)).status_code == 422
    assert (await api.get(KEYS, headers=ada.headers)).json() == {"items": []}
    assert (await api.delete(f"{KEYS}/no-uuid", headers=ada.headers)).status_code == 422
