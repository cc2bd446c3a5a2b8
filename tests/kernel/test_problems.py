"""Every error is problem+json with a stable code and the request id, and shows nothing of our inside."""

import httpx
import pytest
from fastapi import FastAPI


def check(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:pingvas:problem:{code}"
    assert body["title"] and body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    return body


BROKEN = [
    b"{",
    b"[1,]",
    b"{'text': 1}",
    b'{"text": NaN}',
    b"\xff\xfe",
    b'{"text": "\xff"}',
    rb'{"text": "\ud800"}',
    b"[" * 200_000,
]


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:16]))
async def test_broken_json(odd: httpx.AsyncClient, body: bytes) -> None:
    response = await odd.post("/api/v1/odd/echo", content=body, headers={"Content-Type": "application/json"})
    check(response, 400, "invalid_json")


async def test_no_body(odd: httpx.AsyncClient) -> None:
    response = await odd.post("/api/v1/odd/echo", headers={"Content-Type": "application/json"})
    assert "JSON object" in str(check(response, 422, "invalid_request")["detail"])


@pytest.mark.parametrize("body", ["[]", "1", "null", '"text"'])
async def test_json_that_is_no_object(odd: httpx.AsyncClient, body: str) -> None:
    response = await odd.post("/api/v1/odd/echo", content=body, headers={"Content-Type": "application/json"})
    assert "JSON object" in str(check(response, 422, "invalid_request")["detail"])


async def test_json_without_its_type(odd: httpx.AsyncClient) -> None:
    response = await odd.post("/api/v1/odd/echo", content=b'{"text": "x"}', headers={"Content-Type": "text/plain"})
    assert "application/json" in str(check(response, 422, "invalid_request")["detail"])


async def test_a_wrong_field_is_named(odd: httpx.AsyncClient) -> None:
    response = await odd.post("/api/v1/odd/echo", json={"text": 5, "cuont": 1})
    body = check(response, 422, "invalid_request")
    assert [error["field"] for error in body["errors"]] == ["text", "cuont"]  # type: ignore[attr-defined]


async def test_unknown_paths_and_methods(odd: httpx.AsyncClient) -> None:
    check(await odd.get("/api/v1/nowhere"), 404, "not_found")
    response = await odd.delete("/api/v1/odd/echo")
    check(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


async def test_our_errors_carry_their_extras(odd: httpx.AsyncClient) -> None:
    body = check(await odd.get("/api/v1/odd/conflict"), 409, "conflict")
    assert (body["detail"], body["balance"]) == ("Too late", 3)
    response = await odd.get("/api/v1/odd/away")
    check(response, 503, "unavailable")
    assert response.headers["retry-after"] == "2"


async def test_a_crash_shows_nothing_of_itself(odd: httpx.AsyncClient, secret: str) -> None:
    response = await odd.get("/api/v1/odd/crash", headers={"X-Request-ID": "trace-me-0001"})
    body = check(response, 500, "internal_error")
    assert body["request_id"] == "trace-me-0001"
    assert secret not in response.text
    assert "Traceback" not in response.text


async def test_a_crash_counts_as_a_500_of_its_route(odd: httpx.AsyncClient) -> None:
    await odd.get("/api/v1/odd/crash")
    text = (await odd.get("/metrics")).text
    assert 'http_requests_total{method="GET",route="/api/v1/odd/crash",status="500"}' in text


async def test_signing_in_is_asked_for_in_words(odd: httpx.AsyncClient) -> None:
    response = await odd.get("/api/v1/odd/name")
    check(response, 401, "missing_token")
    assert response.headers["www-authenticate"] == 'Bearer error="missing_token"'
    for value in ("Basic abc", "Bearer", "Bearer   ", "abc"):
        check(await odd.get("/api/v1/odd/name", headers={"Authorization": value}), 401, "missing_token")
    check(await odd.get("/api/v1/odd/name", headers={"Authorization": "Bearer x"}), 401, "invalid_token")
    check(await odd.get("/api/v1/odd/name", headers={"Authorization": "Bearer pv_local_x"}), 401, "invalid_token")


async def test_the_openapi_document_names_problems(odd: httpx.AsyncClient, odd_app: FastAPI) -> None:
    document = (await odd.get("/api/docs/user/openapi.json")).json()
    answers = document["paths"]["/api/v1/odd/echo"]["post"]["responses"]
    assert "application/problem+json" in answers["4XX"]["content"]
    page = await odd.get("/api/docs/user")
    assert page.status_code == 200
    assert "cdn.jsdelivr.net" in page.headers["content-security-policy"]
