"""What holds for all five services: where their routes are, who may use them, what they promise in OpenAPI."""

import re

import httpx
import pytest
from fastapi import FastAPI

from blueprint.services import SERVICES
from services.kernel.http.app import load
from services.kernel.settings import Settings

OPEN = {
    ("POST", "/api/v1/auth/local"),
    ("POST", "/api/v1/auth/refresh"),
    ("POST", "/api/v1/auth/sign-out"),
    ("GET", "/api/v1/plans"),
}
"""Everything else wants a token."""
PARAMETER = re.compile(r"\{\w+\}")
SOME_ID = "01a200c6-1f74-7c23-8d2a-93814e5a0ca3"


def operations(app: FastAPI) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item]


@pytest.fixture(scope="module", params=sorted(SERVICES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def app(settings: Settings, name: str) -> FastAPI:
    """Made and not started: nothing here gets further than the question who asks."""
    return load(name)(settings)


def test_routes_lie_where_the_load_balancer_sends_them(app: FastAPI, name: str) -> None:
    paths = {path for _, path in operations(app)}
    assert paths
    for path in paths:
        assert any(path == prefix or path.startswith(f"{prefix}/") for prefix in SERVICES[name].path_prefixes), path


async def test_every_route_asks_who_is_there(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        for method, path in operations(app):
            if (method, path) in OPEN:
                continue
            url = PARAMETER.sub(SOME_ID, path)
            for headers, code in (({}, "missing_token"), ({"Authorization": "Bearer x.y.z"}, "invalid_token")):
                response = await client.request(method, url, headers=headers)
                assert (response.status_code, response.json()["code"]) == (401, code), f"{method} {path}"


def test_every_operation_says_what_it_does(app: FastAPI) -> None:
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            assert operation.get("description"), f"{method} {path}"
            assert "application/problem+json" in operation["responses"]["4XX"]["content"], f"{method} {path}"


def test_bodies_refuse_what_they_do_not_know(app: FastAPI) -> None:
    document = app.openapi()
    for item in document["paths"].values():
        for operation in item.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
                assert schema["additionalProperties"] is False, schema["title"]


def test_an_unknown_service_is_named() -> None:
    with pytest.raises(ValueError, match="billing"):
        load("billing")
