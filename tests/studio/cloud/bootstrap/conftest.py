"""A cluster as EKS leaves it, a checkout whose manifests are pushed, and a bootstrap of the two."""

import base64
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blueprint.cluster import NAME, VERSION
from k8s_charts import tree
from k8s_charts.facts import Facts
from k8s_charts.folder import GitOps
from k8s_charts.main import build, files
from studio.cloud.bootstrap import checks
from studio.cloud.bootstrap.cluster import Described
from studio.cloud.bootstrap.run import Bootstrap, Options
from studio.cloud.rehearse.process import Emulator
from tests.support import outputs
from tests.support.bootstrap import Make, commit, git
from tests.support.eks import argocd, node, rollouts, signed, write_chart
from tests.support.kubernetes_api import Server
from tests.support.tls import Certificates, certificates


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator")).running() as running:
        yield running


@pytest.fixture(autouse=True)
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment.items():
        if name == "AWS_PROFILE":
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def address(authority: Certificates) -> Iterator[Server]:
    """One listener for all tests; `api` gives it another cluster's state."""
    with Server(version=VERSION).serving(authority) as server:
        yield server


@pytest.fixture
def api(address: Server) -> Server:
    """A cluster of EKS as it is after its deployment: three system nodes, and nothing of ours."""
    address.__init__(version=VERSION, url=address.url)  # type: ignore[misc]
    address.authenticate = signed
    address.put("v1", "namespaces", {"metadata": {"name": "kube-system"}})
    for number in range(3):
        address.put("v1", "nodes", node(f"node-{number}"))
    address.controllers += [rollouts, argocd]
    return address


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chart(tmp_path_factory.mktemp("chart"))


@pytest.fixture(scope="module")
def facts(address: Server) -> Facts:
    return outputs.facts(**{"cluster/endpoint": address.url})


@pytest.fixture(scope="module")
def pushed(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose gitops/ is synthesized, committed and pushed."""
    repository = tmp_path_factory.mktemp("repository")
    tree.write(repository / "gitops", files(build(facts)))
    git(repository, "init", "-q", "-b", "main")
    commit(repository, "all")
    for branch in ("main", "develop"):
        git(repository, "update-ref", f"refs/remotes/origin/{branch}", "HEAD")
    return repository


@pytest.fixture
def gitops(pushed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it for one test, in which the same facts and tags are synthesized once."""
    monkeypatch.setattr(checks, "build", _built)
    return Path(shutil.copytree(pushed, tmp_path / "repository")) / "gitops"


_BUILT: dict[str, GitOps] = {}


def _built(facts: Facts, tags: dict[tuple[str, str], str]) -> GitOps:
    key = f"{facts.text()}{sorted(tags.items())}"
    if key not in _BUILT:
        _BUILT[key] = build(facts, tags)
    return _BUILT[key]


@pytest.fixture
def described(api: Server, authority: Certificates) -> Described:
    certificate = base64.b64encode(authority.authority.read_bytes()).decode()
    return Described(NAME, "ACTIVE", api.url, VERSION, certificate)


@pytest.fixture
def make(gitops: Path, described: Described, chart: Path, said: list[str]) -> Make:
    """A bootstrap of that checkout; arguments are options, and `described` changes of what EKS says."""

    def made(described_as: dict[str, Any] | None = None, **options: Any) -> Bootstrap:
        told = replace(described, **(described_as or {}))
        given = Options(chart=chart, **{"minutes": 1.0, **options})
        return Bootstrap(gitops, given, said.append, look_up=lambda account, name: told, pause=lambda seconds: None)

    return made


@pytest.fixture
def said() -> list[str]:
    return []
