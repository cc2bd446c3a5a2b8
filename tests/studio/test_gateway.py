"""The one origin: paths go to the services as the load balancer sends them, and the rest is answered here."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from blueprint.services import SERVICES
from services.kernel.http.app import load
from services.kernel.settings import Settings
from studio.gateway import Gateway, create_gateway


@pytest.fixture(scope="module")
def apps(settings: Settings) -> dict[str, FastAPI]:
    return {name: load(name)(settings) for name in SERVICES}


@pytest.fixture(scope="module")
async def http(apps: dict[str, FastAPI]) -> AsyncIterator[httpx.AsyncClient]:
    gateway = create_gateway(apps)
    async with (
        gateway.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=gateway), base_url="http://127.0.0.1:8000") as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/auth/local", "user"),
        ("/api/v1/me", "user"),
        ("/api/v1/menu", None),
        ("/api/v1/generations", "generation"),
        ("/api/v1/generations/1/events", "generation"),
        ("/api/v1/images/1/original", "gallery"),
        ("/api/v1/models/a", "model"),
        ("/api/v1/credits/entries", "payment"),
        ("/api/docs/gallery/openapi.json", "gallery"),
        ("/api/docs/nothing", None),
        ("/", None),
    ],
)
def test_the_longest_prefix_at_a_slash_decides(apps: dict[str, FastAPI], path: str, service: str | None) -> None:
    assert Gateway(apps, FastAPI()).service(path) == service


@pytest.mark.parametrize("name", list(SERVICES))
async def test_every_service_is_behind_it(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.get(f"{SERVICES[name].docs_path}/openapi.json")
    assert answer.status_code == 200
    assert SERVICES[name].title in answer.json()["info"]["title"]


async def test_health_readiness_and_metrics_are_those_of_all(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok"}
    ready = (await http.get("/readyz")).json()
    assert list(ready["services"]) == list(SERVICES)
    assert ready["services"]["user"]["checks"] == {"database": "ok", "redis": "ok"}
    await http.get("/api/v1/plans")
    text = (await http.get("/metrics")).text
    assert 'service="payment"' in text
    assert text.count("# TYPE http_requests_total counter") == 1
    assert "http_requests_total" in (await http.get("/metrics/payment")).text
    assert (await http.get("/metrics/nothing")).status_code == 404


async def test_the_page_loads_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in ("/", "/studio.js", "/studio.css", "/studio.svg"):
        text = (await http.get(path)).text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_path_is_a_problem(http: httpx.AsyncClient, method: str) -> None:
    answer = await http.request(method, "/api/v9/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "not_found"
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/", "/api/v1/plans", "/readyz"])
async def test_a_foreign_name_for_this_machine_is_refused(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path, headers={"Host": "attacker.example:8000"})
    assert answer.status_code == 400
    assert (await http.get(path, headers={"Host": "localhost:8000"})).status_code != 400
    assert (await http.get(path, headers={"Host": "[::1]:8000"})).status_code != 400
