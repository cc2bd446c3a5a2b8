"""Tenants for the services' tests."""

from collections.abc import Iterator

import pytest

from services.kernel.settings import Settings
from tests.support.tenants import Registry, Tenant


@pytest.fixture(scope="session")
def registry(settings: Settings) -> Iterator[Registry]:
    made = Registry(settings)
    yield made
    made.close()


@pytest.fixture
def ada(registry: Registry) -> Tenant:
    return registry.tenant()


@pytest.fixture
def eve(registry: Registry) -> Tenant:
    """Another tenant, who is to see nothing of the first."""
    return registry.tenant()
