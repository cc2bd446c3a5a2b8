"""The templates of both regions, synthesized once a test process."""

import pytest

from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.regions import REGIONS
from tests.support.packets import PacketFilter
from tests.support.policies import Policies
from tests.support.templates import Resource, Templates, synthesize
from tests.support.workloads import Asked


@pytest.fixture(scope="session", params=REGIONS)
def region(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def templates(region: str) -> Templates:
    """Every stack as the default settings make it, in each region."""
    return synthesize(region=region)


@pytest.fixture(scope="session")
def policies(templates: Templates, region: str) -> Policies:
    """Every policy of those stacks."""
    return Policies(templates, region=region)


@pytest.fixture
def cluster(templates: Templates) -> Resource:
    return templates.one("AWS::EKS::Cluster")


@pytest.fixture
def node_group(templates: Templates) -> Resource:
    """The managed group of system nodes."""
    return templates.one("AWS::EKS::Nodegroup")


@pytest.fixture(scope="session", params=CLUSTER_ENVIRONMENTS, ids=lambda one: str(one.name))
def environment(request: pytest.FixtureRequest) -> Environment:
    found: Environment = request.param
    return found


@pytest.fixture(scope="session")
def asked(templates: Templates, region: str) -> Asked:
    return Asked(templates, region)


@pytest.fixture(scope="session")
def network(templates: Templates) -> PacketFilter:
    return PacketFilter(templates["Network"])


@pytest.fixture(scope="session")
def trial() -> Templates:
    """Stacks that may be deleted, with an Aurora that pauses."""
    return synthesize(region="us-east-1", protected=False, aurora_min_acu=0, aurora_auto_pause=True)
