"""One synthesis of the Kubernetes layer for all of its tests, with placeholder facts and no released image."""

from dataclasses import replace
from pathlib import Path

import pytest

from blueprint.regions import DEFAULT_REGION
from k8s_charts import tree
from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps
from k8s_charts.main import build, files
from studio.cloud.reachability.estate import estate
from studio.cloud.reachability.report import Report, report
from tests.support.manifests import Manifests
from tests.support.templates import Templates, synthesize


@pytest.fixture(scope="session")
def app() -> GitOps:
    return build(placeholders())


@pytest.fixture(scope="session")
def manifests(app: GitOps, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    root: Path = tmp_path_factory.mktemp("gitops")
    tree.write(root, files(app))
    return Manifests(app, root)


@pytest.fixture(scope="session")
def reachability(manifests: Manifests) -> Report:
    """Who reaches whom by the network policies as they are applied."""
    return report(estate([one.body for one in manifests.all()]))


@pytest.fixture(scope="session")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """With routing and caches inside the cluster."""
    root: Path = tmp_path_factory.mktemp("gitops-in-cluster")
    app = build(replace(placeholders(), edge_and_cache="in-cluster"))
    tree.write(root, app.files())
    return Manifests(app, root)


@pytest.fixture(scope="session")
def templates() -> Templates:
    """The AWS layer of the default region."""
    return synthesize(region=DEFAULT_REGION)
