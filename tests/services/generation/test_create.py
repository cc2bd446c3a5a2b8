"""Accepting a request: once, at its price, or not at all with a reason."""

import asyncio
from typing import Any

import httpx
import pytest

from blueprint.plans import PLANS
from tests.support.tenants import Registry, Tenant

PATH = "/api/v1/generations"
BODY = {"prompt": "a red circle on a blue background"}


async def test_accepted_with_defaults_filled_in(client: httpx.AsyncClient, ada: Tenant, registry: Registry) -> None:
    answer = await client.post(PATH, json=BODY, headers=ada.headers)
    assert answer.status_code == 202
    made = answer.json()
    assert answer.headers["Location"] == f"{PATH}/{made['id']}"
    assert (made["status"], made["width"], made["height"], made["steps"]) == ("queued", 64, 64, 4)
    assert made["price"] == 1 and 0 <= made["seed"] < 2**32 and made["warnings"] == []
    assert registry.account(ada) == (100, 1)
    seen = await client.get(f"{PATH}/{made['id']}", headers=ada.headers)
    assert seen.json()["queue_position"] >= 1


async def test_unknown_words_are_told(client: httpx.AsyncClient, ada: Tenant) -> None:
    answer = await client.post(PATH, json={"prompt": "a red astronaut", "width": 128}, headers=ada.headers)
    assert len(answer.json()["warnings"]) == 2
    assert "'astronaut'" in answer.json()["warnings"][0]


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"prompt": ""}, 422, "invalid_request", "prompt"),
        ({"prompt": "   "}, 422, "invalid_request", "prompt"),
        ({"prompt": "x" * 10_000}, 422, "invalid_request", "prompt"),
        ({"prompt": "a\x00b"}, 422, "invalid_request", "NUL"),
        ({"width": 100}, 422, "invalid_request", "width"),
        ({"width": 8}, 422, "invalid_request", "width"),
        ({"width": "128"}, 422, "invalid_request", "width"),
        ({"height": 4096}, 422, "plan_limit", "height"),
        ({"width": 1024}, 422, "model_limit", "256 pixels"),
        ({"steps": 0}, 422, "invalid_request", "steps"),
        ({"steps": 1000}, 422, "plan_limit", "steps"),
        ({"seed": -1}, 422, "invalid_request", "seed"),
        ({"seed": 2**53}, 422, "invalid_request", "seed"),
        ({"seed": 2**53 - 1, "n": 2}, 422, "plan_limit", "seed"),
        ({"n": 0}, 422, "invalid_request", "n"),
        ({"n": 9}, 422, "plan_limit", "n"),
        ({"guidance_scale": 1e9}, 422, "invalid_request", "guidance_scale"),
        ({"model": "nobody-has-this"}, 422, "unknown_model", "nobody-has-this"),
        ({"colour": "red"}, 422, "invalid_request", "colour"),
    ],
)
async def test_bad_input_changes_nothing(
    client: httpx.AsyncClient,
    ada: Tenant,
    registry: Registry,
    change: dict[str, Any],
    status: int,
    code: str,
    field: str,
) -> None:
    answer = await client.post(PATH, json={**BODY, **change}, headers=ada.headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in answer.json()["detail"]
    assert registry.account(ada) == (100, 0)
    assert (await client.get(PATH, headers=ada.headers)).json()["items"] == []


async def test_no_credits_is_402_with_the_balance(client: httpx.AsyncClient, registry: Registry) -> None:
    poor = registry.tenant(balance=2)
    answer = await client.post(PATH, json={**BODY, "n": 3}, headers=poor.headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (402, "insufficient_credits")
    assert (problem["balance"], problem["available"], problem["price"]) == (2, 2, 3)
    assert registry.account(poor) == (2, 0)


async def test_credits_are_never_overspent_by_requests_at_once(client: httpx.AsyncClient, registry: Registry) -> None:
    poor = registry.tenant(balance=3)
    answers = await asyncio.gather(*(client.post(PATH, json=BODY, headers=poor.headers) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [402] * 5
    assert registry.account(poor) == (3, 3)


async def test_the_same_key_answers_with_the_same_generation(
    client: httpx.AsyncClient, ada: Tenant, registry: Registry
) -> None:
    headers = {**ada.headers, "Idempotency-Key": "once"}
    answers = await asyncio.gather(*(client.post(PATH, json=BODY, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers) == 4
    assert registry.account(ada) == (100, 1)


async def test_the_same_key_with_another_body_is_409(
    client: httpx.AsyncClient, ada: Tenant, registry: Registry
) -> None:
    headers = {**ada.headers, "Idempotency-Key": "twice"}
    await client.post(PATH, json=BODY, headers=headers)
    answer = await client.post(PATH, json={**BODY, "seed": 7}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert registry.account(ada) == (100, 1)


async def test_another_tenant_may_use_the_same_key(client: httpx.AsyncClient, ada: Tenant, eve: Tenant) -> None:
    answers = [
        await client.post(PATH, json=BODY, headers={**tenant.headers, "Idempotency-Key": "shared"})
        for tenant in (ada, eve)
    ]
    assert len({answer.json()["id"] for answer in answers}) == 2


async def test_a_plan_bounds_what_is_active(client: httpx.AsyncClient, registry: Registry) -> None:
    free = registry.tenant(plan="free")
    allowed = PLANS["free"].max_active
    answers = [await client.post(PATH, json=BODY, headers=free.headers) for _ in range(allowed + 1)]
    assert [answer.status_code for answer in answers] == [202] * allowed + [429]
    assert answers[-1].json()["code"] == "too_many_active"
    assert registry.account(free) == (100, allowed)


async def test_an_unavailable_model_says_why(client: httpx.AsyncClient, ada: Tenant, registry: Registry) -> None:
    registry.model("broken", '{"reason": "unet/ lacks its weights"}')
    registry.rows("UPDATE models SET available = false WHERE name = 'broken'")
    answer = await client.post(PATH, json={**BODY, "model": "broken"}, headers=ada.headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "model_unavailable")
    assert "lacks its weights" in answer.json()["detail"]


async def test_a_model_may_want_a_better_plan(client: httpx.AsyncClient, ada: Tenant, registry: Registry) -> None:
    registry.model("exclusive")
    registry.rows("UPDATE models SET minimum_plan = 'creator' WHERE name = 'exclusive'")
    free = registry.tenant(plan="free")
    answers = [
        await client.post(PATH, json={**BODY, "model": "exclusive"}, headers=tenant.headers) for tenant in (free, ada)
    ]
    assert [answer.status_code for answer in answers] == [422, 202]
    assert (answers[0].json()["code"], answers[0].json()["field"]) == ("plan_limit", "model")
    assert registry.account(free) == (100, 0)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", b""])
async def test_broken_bodies(client: httpx.AsyncClient, ada: Tenant, content: bytes) -> None:
    answer = await client.post(PATH, content=content, headers={**ada.headers, "Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_fairness_puts_the_hundredth_behind_everybodys_first(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    busy, late = registry.tenant(), registry.tenant()
    for _ in range(4):
        await client.post(PATH, json=BODY, headers=busy.headers)
    first = (await client.post(PATH, json=BODY, headers=late.headers)).json()
    rows = registry.rows(
        "SELECT user_id FROM generations WHERE status = 'queued' AND user_id = ANY(:ids) ORDER BY due_at",
        ids=[busy.id, late.id],
    )
    assert [row["user_id"] for row in rows][:2] == [busy.id, late.id]
    assert first["status"] == "queued"
