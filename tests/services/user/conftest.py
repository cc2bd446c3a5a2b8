"""The user service, running."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.kernel.settings import Settings
from services.user.app import create_app
from tests.support.http import client_of

SignIn = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
async def api(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(settings)) as client:
        yield client


@pytest.fixture
def sign_in(api: httpx.AsyncClient) -> SignIn:
    """Signs in, as somebody new where no address is given; adds `headers` that carry the access token."""

    async def signed_in(email: str | None = None, **more: str) -> dict[str, Any]:
        body = {"email": email or f"{uuid4()}@pingvas.studio", **more}
        response = await api.post("/api/v1/auth/local", json=body)
        assert response.status_code == 200, response.text
        pair: dict[str, Any] = response.json()
        return {**pair, "headers": {"Authorization": f"Bearer {pair['access_token']}"}}

    return signed_in
