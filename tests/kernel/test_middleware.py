"""The middleware: request ids, the body's limit, security headers, metrics, streams left alone."""

from collections.abc import AsyncIterator

import httpx
import pytest

from blueprint.services import HTTP

ECHO = "/api/v1/odd/echo"
JSON = {"Content-Type": "application/json"}


async def test_a_request_id_is_kept_or_made(odd: httpx.AsyncClient) -> None:
    kept = await odd.get("/healthz", headers={"X-Request-ID": "from-the-browser-1"})
    assert kept.headers["x-request-id"] == "from-the-browser-1"
    made = {(await odd.get("/healthz")).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3


@pytest.mark.parametrize("offered", ["short", "a" * 129, "with space here", 'quote"quote"', "line\x0bfeed1"])
async def test_an_odd_request_id_is_replaced(odd: httpx.AsyncClient, offered: str) -> None:
    response = await odd.get("/healthz", headers={"X-Request-ID": offered})
    assert response.headers["x-request-id"] != offered


async def test_security_headers_are_on_every_answer(odd: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/metrics", "/nowhere", "/api/v1/odd/crash", "/api/v1/odd/stream"):
        headers = (await odd.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "max-age" in headers["strict-transport-security"]
        assert headers["cache-control"]
    assert (await odd.get("/healthz")).headers["cache-control"] == "no-store"
    assert (await odd.get("/api/v1/odd/stream")).headers["cache-control"] == "private, max-age=60"


async def test_a_body_that_says_it_is_too_large(odd: httpx.AsyncClient) -> None:
    body = b'{"text": "' + b"x" * HTTP.body_bytes + b'"}'
    response = await odd.post(ECHO, content=body, headers=JSON)
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"
    assert str(HTTP.body_bytes) in response.json()["detail"]
    assert response.headers["connection"] == "close"


async def test_a_body_that_only_turns_out_too_large(odd: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"text": "'
        for _ in range(20):
            yield b"x" * (HTTP.body_bytes // 16)
        yield b'"}'

    response = await odd.post(ECHO, content=pieces(), headers=JSON)
    assert "content-length" not in response.request.headers
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"


async def test_a_body_at_the_limit_is_fine(odd: httpx.AsyncClient) -> None:
    room = HTTP.body_bytes - len(b'{"text": ""}')
    response = await odd.post(ECHO, content=b'{"text": "' + b"x" * room + b'"}', headers=JSON)
    assert response.status_code == 200


@pytest.mark.parametrize("length", [b"-1", b"x", b"\xb2"])
async def test_a_length_that_is_none_is_not_our_crash(odd: httpx.AsyncClient, length: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    response = await odd.post(ECHO, content=b'{"text": "x"}', headers=headers)
    assert response.status_code == 200


async def test_a_stream_passes_untouched(odd: httpx.AsyncClient) -> None:
    assert (await odd.get("/api/v1/odd/stream")).text == "onetwo"


async def test_a_stream_that_breaks_stays_broken(odd: httpx.AsyncClient, secret: str) -> None:
    response = await odd.get("/api/v1/odd/broken-stream")
    assert response.status_code == 200
    assert secret not in response.text


async def test_metrics_know_routes_and_never_paths(odd: httpx.AsyncClient) -> None:
    await odd.get("/api/v1/odd/some-path-of-nobody")
    await odd.request("BREW", "/api/v1/odd/name")
    text = (await odd.get("/metrics")).text
    assert 'route="unmatched",status="404"' in text
    assert 'method="other"' in text
    assert "some-path-of-nobody" not in text
    assert "BREW" not in text


async def test_readiness_names_what_it_asked(odd: httpx.AsyncClient) -> None:
    response = await odd.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "redis": "ok"}}
