"""Plans, the balance and the ledger, over HTTP; and the proof that they add up."""

import httpx
import pytest

from blueprint.plans import PLANS
from services.kernel.db import Database
from services.kernel.ledger import GRANT
from services.kernel.settings import Settings
from services.payment.service import verify
from tests.support.tenants import Registry, Tenant

PLANS_PATH, CREDITS, ENTRIES = "/api/v1/plans", "/api/v1/credits", "/api/v1/credits/entries"
HOLD = """
    WITH entry AS (
        INSERT INTO credit_entries (user_id, kind, held, business_key) VALUES (:id, 'hold', :price, 'hold:' || :key))
    UPDATE users SET held = held + :price WHERE id = :id
"""


async def test_plans_are_everybodys_to_read(api: httpx.AsyncClient) -> None:
    response = await api.get(PLANS_PATH)
    assert response.status_code == 200
    items = response.json()["items"]
    assert [item["name"] for item in items] == ["free", "creator", "pro"]
    for item in items:
        plan = PLANS[item["name"]]
        assert (item["price_cents"], item["monthly_credits"]) == (plan.price_cents, plan.monthly_credits)
        assert item["limits"]["max_side"] == plan.max_side
        assert set(item["limits"]) == {"max_images", "max_side", "max_pixels", "max_steps", "max_active"}


async def test_the_balance(api: httpx.AsyncClient, registry: Registry) -> None:
    ada = registry.tenant(balance=100, plan="creator")
    registry.rows(HOLD, id=ada.id, price=30, key="one")
    response = await api.get(CREDITS, headers=ada.headers)
    assert response.json() == {"plan": "creator", "balance": 100, "held": 30, "available": 70}


@pytest.mark.parametrize("path", [CREDITS, ENTRIES])
async def test_both_want_a_signed_in_user(api: httpx.AsyncClient, path: str) -> None:
    response = await api.get(path)
    assert (response.status_code, response.json()["code"]) == (401, "missing_token")


async def test_the_ledger_comes_in_pages_newest_first(api: httpx.AsyncClient, registry: Registry, eve: Tenant) -> None:
    ada = registry.tenant(balance=1000)
    for number in range(24):
        registry.rows(HOLD, id=ada.id, price=1, key=str(number))
    seen: list[dict[str, object]] = []
    cursor = None
    for _ in range(3):
        query = {"limit": 10} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(ENTRIES, headers=ada.headers, params=query)).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if len(seen) == 10:
            registry.rows(HOLD, id=ada.id, price=1, key="in between")  # moves no later page
    assert cursor is None
    assert [entry["business_key"] for entry in seen] == [*(f"hold:{n}" for n in reversed(range(24))), "test"]
    assert seen[-1] | {"id": 0, "created_at": ""} == {
        "id": 0,
        "kind": "grant",
        "amount": 1000,
        "held": 0,
        "business_key": "test",
        "generation_id": None,
        "created_at": "",
    }
    others = (await api.get(ENTRIES, headers=eve.headers)).json()
    assert [entry["business_key"] for entry in others["items"]] == ["test"]


async def test_a_strangers_cursor_shows_nothing_of_theirs(
    api: httpx.AsyncClient, registry: Registry, ada: Tenant, eve: Tenant
) -> None:
    for key in ("one", "two"):
        registry.rows(HOLD, id=ada.id, price=1, key=key)
    cursor = (await api.get(ENTRIES, headers=ada.headers, params={"limit": 1})).json()["next_cursor"]
    page = (await api.get(ENTRIES, headers=eve.headers, params={"cursor": cursor})).json()
    assert all(entry["business_key"] == "test" for entry in page["items"])


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"cursor": "nonsense!"}, {"cursor": "A" * 65}], ids=str
)
async def test_bad_pages_are_refused(api: httpx.AsyncClient, ada: Tenant, query: dict[str, str]) -> None:
    response = await api.get(ENTRIES, headers=ada.headers, params=query)
    assert response.status_code == 422
    assert response.json()["code"] in ("invalid_request", "invalid_cursor")


async def test_a_cursor_of_another_list_is_harmless(api: httpx.AsyncClient, ada: Tenant) -> None:
    response = await api.get(ENTRIES, headers=ada.headers, params={"cursor": "_" * 22})
    assert response.status_code == 200


async def test_an_account_that_is_gone(api: httpx.AsyncClient, registry: Registry) -> None:
    ada = registry.tenant()
    registry.rows("DELETE FROM users WHERE id = :id", id=ada.id)
    response = await api.get(CREDITS, headers=ada.headers)
    assert (response.status_code, response.json()["code"]) == (401, "account_gone")


async def test_verify_finds_what_does_not_add_up(settings: Settings, registry: Registry) -> None:
    ada = registry.tenant(balance=10)
    registry.rows(str(GRANT), user_id=ada.id, amount=5, business_key="more")
    worker, app = Database(settings, role="worker"), Database(settings)
    try:
        async with worker.read() as session:
            assert await verify(session, ada.id) == []
        registry.rows("UPDATE users SET balance = balance + 1 WHERE id = :id", id=ada.id)
        async with worker.read() as session:
            assert [row["user_id"] for row in await verify(session, ada.id)] == [ada.id]
            assert ada.id in [row["user_id"] for row in await verify(session)]
        async with app.read(ada.id) as session:
            assert [row["entries_balance"] for row in await verify(session)] == [15]
        async with app.read() as session:
            assert await verify(session) == []  # no tenant, no row
    finally:
        registry.rows("UPDATE users SET balance = balance - 1 WHERE id = :id", id=ada.id)
        await worker.close()
        await app.close()
