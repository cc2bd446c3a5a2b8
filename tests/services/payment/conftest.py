"""The payment service, running."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.kernel.settings import Settings
from services.payment.app import create_app
from tests.support.http import client_of


@pytest.fixture(scope="session")
async def api(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(settings)) as client:
        yield client
