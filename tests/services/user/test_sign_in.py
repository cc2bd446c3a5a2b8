"""Local sign-in: one user an address, credits once a month, and only where it belongs."""

import asyncio
import secrets
from typing import Any
from uuid import uuid4

import httpx
import pytest

from blueprint.plans import LOCAL_PLAN, PLANS
from services.kernel.ledger import GRANT
from services.kernel.settings import Settings
from services.user.app import create_app
from tests.support.http import client_of
from tests.support.tenants import Registry

LOCAL = "/api/v1/auth/local"
CREDITS = PLANS[LOCAL_PLAN].monthly_credits


async def test_the_first_sign_in_makes_a_user_with_credits(
    api: httpx.AsyncClient, sign_in: Any, registry: Registry
) -> None:
    email = f"Ada.{uuid4()}@Pingvas.Studio"
    pair = await sign_in(email)
    assert pair["token_type"] == "Bearer"
    assert pair["expires_in"] == 1800
    assert pair["user"]["email"] == email.lower()
    assert pair["user"]["display_name"] == email.lower().partition("@")[0]
    assert pair["user"]["plan"] == LOCAL_PLAN
    (row,) = registry.rows("SELECT balance, held FROM users WHERE id = :id", id=pair["user"]["id"])
    assert (row["balance"], row["held"]) == (CREDITS, 0)
    me = (await api.get("/api/v1/me", headers=pair["headers"])).json()
    assert me.items() >= pair["user"].items()


async def test_an_address_is_one_user_however_it_is_written(sign_in: Any, registry: Registry) -> None:
    name = str(uuid4())
    first = await sign_in(f"{name}@pingvas.studio", display_name="Ada")
    again = await sign_in(f"{name.upper()}@PINGVAS.studio", display_name="Somebody else")
    assert again["user"] == first["user"]
    assert again["refresh_token"] != first["refresh_token"]
    entries = registry.rows("SELECT business_key FROM credit_entries WHERE user_id = :id", id=first["user"]["id"])
    (month,) = registry.rows("SELECT to_char(now(), 'YYYY-MM') AS month")
    assert [entry["business_key"] for entry in entries] == [f"plan:{LOCAL_PLAN}:{month['month']}"]


async def test_a_new_month_brings_new_credits(sign_in: Any, registry: Registry) -> None:
    ada = registry.tenant(balance=0)
    email = f"{ada.id}@pingvas.studio"
    registry.rows(
        "INSERT INTO oauth_identities (id, user_id, provider, subject) VALUES (:id, :id, 'local', :email)",
        id=ada.id,
        email=email,
    )
    registry.rows(str(GRANT), user_id=ada.id, amount=CREDITS, business_key=f"plan:{LOCAL_PLAN}:2026-01")
    for _ in range(2):
        assert (await sign_in(email))["user"]["id"] == str(ada.id)
        assert registry.account(ada) == (2 * CREDITS, 0)


async def test_first_sign_ins_at_once_make_one_user(sign_in: Any, registry: Registry) -> None:
    email = f"{uuid4()}@pingvas.studio"
    pairs = await asyncio.gather(*(sign_in(email) for _ in range(8)))
    assert len({pair["user"]["id"] for pair in pairs}) == 1
    (count,) = registry.rows("SELECT count(*) FROM users WHERE email = :email", email=email)
    (sums,) = registry.rows("SELECT balance FROM users WHERE email = :email", email=email)
    assert (count["count"], sums["balance"]) == (1, CREDITS)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": ""},
        {"email": "nobody"},
        {"email": "a@b"},
        {"email": "ada@pingvas.local"},
        {"email": "ada\x00@pingvas.studio"},
        {"email": 5},
        {"email": "a" * 300 + "@pingvas.studio"},
        {"email": "ada@pingvas.studio", "display_name": "  "},
        {"email": "ada@pingvas.studio", "display_name": "x" * 81},
        {"email": "ada@pingvas.studio", "display_name": "line\nbreak"},
        {"email": "ada@pingvas.studio", "display_name": "nul\x00"},
        {"email": "ada@pingvas.studio", "plan": "pro"},
    ],
    ids=str,
)
async def test_bad_input_is_a_422_and_makes_nobody(
    api: httpx.AsyncClient, registry: Registry, body: dict[str, object]
) -> None:
    before = registry.rows("SELECT count(*) FROM users")
    response = await api.post(LOCAL, json=body)
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_request"
    assert registry.rows("SELECT count(*) FROM users") == before


@pytest.mark.parametrize("env", ["dev", "prod"])
async def test_elsewhere_there_is_no_such_path(settings: Settings, env: str) -> None:
    there = Settings.model_validate({**settings.model_dump(), "env": env, "jwt_secret": secrets.token_hex(32)})
    async with client_of(create_app(there)) as client:
        response = await client.post(LOCAL, json={"email": "ada@pingvas.studio"})
        assert response.status_code == 404
        assert response.json()["code"] == "not_found"
        document = (await client.get("/api/docs/user/openapi.json")).json()
        assert LOCAL not in document["paths"]


async def test_no_session_is_opened_when_redis_is_away(settings: Settings, registry: Registry) -> None:
    away = Settings.model_validate({**settings.model_dump(), "redis_url": "redis://127.0.0.1:1/0"})
    async with client_of(create_app(away)) as client:
        response = await client.post(LOCAL, json={"email": f"{uuid4()}@pingvas.studio"})
        assert response.status_code == 503
        assert response.json()["code"] == "cache_unavailable"
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "ok"
        assert ready.json()["checks"]["redis"] != "ok"
