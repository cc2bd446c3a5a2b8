"""The generation service, with a model in the catalogue and a dispatcher that tests drive themselves."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from services.generation.app import create_app
from services.kernel.settings import Settings
from tests.support.http import client_of
from tests.support.tenants import Registry


@pytest.fixture(scope="session")
def app(settings: Settings, registry: Registry) -> FastAPI:
    model = registry.model()
    return create_app(settings.model_copy(update={"default_model": model, "sweep_seconds": 3600}))


@pytest.fixture(autouse=True)
def model(registry: Registry) -> str:
    """There for every test: a model service of another test takes models without a folder out of the catalogue."""
    return registry.model()


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made
