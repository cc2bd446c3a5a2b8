"""The templates of both regions, synthesized once a test process."""

import pytest

from blueprint.regions import REGIONS
from tests.support.templates import Templates, synthesize


@pytest.fixture(scope="session", params=REGIONS)
def region(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def templates(region: str) -> Templates:
    """Every stack as the default settings make it, in each region."""
    return synthesize(region=region)
