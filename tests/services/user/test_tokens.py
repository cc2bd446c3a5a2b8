"""Refresh, sign-out and the profile, over HTTP."""

from typing import Any

import httpx
import pytest

from services.kernel.settings import Settings
from services.kernel.tokens import Tokens
from tests.support.tenants import Registry, Tenant

REFRESH, SIGN_OUT, ME = "/api/v1/auth/refresh", "/api/v1/auth/sign-out", "/api/v1/me"


async def test_a_refresh_gives_both_tokens_anew(api: httpx.AsyncClient, sign_in: Any, settings: Settings) -> None:
    pair = await sign_in()
    response = await api.post(REFRESH, json={"refresh_token": pair["refresh_token"]})
    assert response.status_code == 200
    fresh = response.json()
    assert fresh["user"] == pair["user"]
    assert fresh["refresh_token"] != pair["refresh_token"]
    principal = Tokens(settings).principal(fresh["access_token"])
    assert str(principal.user_id) == pair["user"]["id"]
    assert principal.session_id == pair["refresh_token"].partition(".")[0]


async def test_an_old_token_ends_the_session(api: httpx.AsyncClient, sign_in: Any) -> None:
    first = (await sign_in())["refresh_token"]
    second = (await api.post(REFRESH, json={"refresh_token": first})).json()["refresh_token"]
    third = (await api.post(REFRESH, json={"refresh_token": second})).json()["refresh_token"]
    stolen = await api.post(REFRESH, json={"refresh_token": first})
    assert (stolen.status_code, stolen.json()["code"]) == (401, "refresh_token_reused")
    ended = await api.post(REFRESH, json={"refresh_token": third})
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")


async def test_signing_out(api: httpx.AsyncClient, sign_in: Any) -> None:
    token = (await sign_in())["refresh_token"]
    for _ in range(2):
        response = await api.post(SIGN_OUT, json={"refresh_token": token})
        assert (response.status_code, response.content) == (204, b"")
    assert (await api.post(REFRESH, json={"refresh_token": token})).json()["code"] == "session_ended"


async def test_signing_out_everywhere(api: httpx.AsyncClient, sign_in: Any) -> None:
    laptop = await sign_in()
    phone = await sign_in(laptop["user"]["email"])
    await api.post(SIGN_OUT, json={"refresh_token": laptop["refresh_token"], "everywhere": True})
    response = await api.post(REFRESH, json={"refresh_token": phone["refresh_token"]})
    assert response.json()["code"] == "session_ended"


@pytest.mark.parametrize("path", [REFRESH, SIGN_OUT])
@pytest.mark.parametrize("token", ["x", "a.1.b", "é.1.é", "a" * 512])
async def test_a_made_up_refresh_token(api: httpx.AsyncClient, path: str, token: str) -> None:
    response = await api.post(path, json={"refresh_token": token})
    assert (response.status_code, response.json()["code"]) == (401, "invalid_refresh_token")


async def test_an_account_that_is_gone(api: httpx.AsyncClient, sign_in: Any, registry: Registry) -> None:
    pair = await sign_in()
    registry.rows("DELETE FROM users WHERE id = :id", id=pair["user"]["id"])
    for response in (
        await api.get(ME, headers=pair["headers"]),
        await api.patch(ME, headers=pair["headers"], json={"display_name": "Ghost"}),
        await api.post("/api/v1/api-keys", headers=pair["headers"], json={"name": "x", "scopes": ["gallery"]}),
        await api.post(REFRESH, json={"refresh_token": pair["refresh_token"]}),
    ):
        assert (response.status_code, response.json()["code"]) == (401, "account_gone")


async def test_renaming(api: httpx.AsyncClient, registry: Registry, ada: Tenant, eve: Tenant) -> None:
    response = await api.patch(ME, headers=ada.headers, json={"display_name": "  Ada 🦊 Lovelace "})
    assert response.status_code == 200
    assert response.json()["display_name"] == "Ada 🦊 Lovelace"
    assert (await api.get(ME, headers=ada.headers)).json() == response.json()
    assert (await api.get(ME, headers=eve.headers)).json()["display_name"] == "Test"


@pytest.mark.parametrize(
    "body", [{}, {"display_name": None}, {"display_name": ""}, {"display_name": "a", "plan": "pro"}]
)
async def test_a_bad_profile_changes_nothing(api: httpx.AsyncClient, ada: Tenant, body: dict[str, object]) -> None:
    before = (await api.get(ME, headers=ada.headers)).json()
    assert (await api.patch(ME, headers=ada.headers, json=body)).status_code == 422
    assert (await api.get(ME, headers=ada.headers)).json() == before
