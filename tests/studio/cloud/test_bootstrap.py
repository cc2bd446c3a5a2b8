"""The bootstrap with real kubectl and helm against an API server in memory and an emulated STS."""

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from blueprint.cluster import NAME, VERSION
from blueprint.delivery import REPOSITORY_URL
from k8s_charts import tree
from k8s_charts.facts import Facts, placeholders
from k8s_charts.folder import UNRELEASED, GitOps
from k8s_charts.main import build, files
from studio.cloud import toolchain
from studio.cloud.bootstrap import checks, run
from studio.cloud.bootstrap.cluster import Cluster, Described, describe, kubeconfig
from studio.cloud.bootstrap.run import Bootstrap, Options
from studio.cloud.deploy.account import Account
from studio.cloud.rehearse.process import ACCOUNT, Emulator
from studio.errors import NotRunningError, StudioError, UsageError
from tests.support import outputs
from tests.support.eks import argocd, node, rollouts, signed, write_chart
from tests.support.kubernetes_api import Server
from tests.support.tls import Certificates, certificates

REGION = "us-east-1"
TOKEN = "github_pat_of_nobody_000000"


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
    _git(repository, "init", "-q", "-b", "main")
    _commit(repository, "all")
    for branch in ("main", "develop"):
        _git(repository, "update-ref", f"refs/remotes/origin/{branch}", "HEAD")
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


def _git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.com")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", message)


@pytest.fixture
def described(api: Server, authority: Certificates) -> Described:
    certificate = base64.b64encode(authority.authority.read_bytes()).decode()
    return Described(NAME, "ACTIVE", api.url, VERSION, certificate)


Make = Callable[..., Bootstrap]


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


def state(bootstrap: Bootstrap) -> dict[str, str]:
    return {one.check: one.state for one in bootstrap.look()}


def test_everything_is_right_and_argocd_takes_over(make: Make, api: Server, said: list[str]) -> None:
    bootstrap = make(token=TOKEN)
    found = bootstrap.look()
    assert bootstrap.stops(found) == []
    assert {one.check for one in found if one.state != "ok"} <= {"images"}
    bootstrap.run()
    assert {"argocd", "dev", "prod", "keda", "karpenter"} <= {key[3] for key in api.objects if key[1] == "namespaces"}
    assert api.find("priorityclasses", "platform-critical") is not None
    server = api.find("deployments", "argocd-server", "argocd")
    assert server is not None
    assert server["metadata"]["annotations"]["priority"] == "platform-critical"  # the committed values
    assert api.find("applications", "pingvas", "argocd") is not None
    assert {key[3] for key in api.objects if key[1] == "appprojects"} >= {
        "pingvas-dev",
        "pingvas-platform",
        "pingvas-prod",
    }
    assert said[-1] == "    pingvas is Synced and Healthy"


def test_what_argocd_manages_afterwards_is_applied_in_its_own_name(make: Make, api: Server) -> None:
    bootstrap = make()
    bootstrap.look()
    bootstrap.run()
    applied = [path for method, path, _ in api.calls if method == "PATCH" and "fieldManager" in path]
    managers = {re.search("fieldManager=([^&]*)", path)[1] for path in applied}  # type: ignore[index]
    assert managers == {"argocd-controller", "helm"}
    assert all("fieldValidation=Strict" in path for path in applied if "argocd-controller" in path)


def test_a_second_run_changes_nothing_and_leaves_argocd_alone(make: Make, api: Server, said: list[str]) -> None:
    for _ in range(2):
        bootstrap = make(token=TOKEN)
        bootstrap.look()
        bootstrap.run()
    releases = [key[3] for key in api.objects if key[3].startswith("sh.helm.release")]
    assert releases == ["sh.helm.release.v1.argocd.v1"]
    assert "    manages itself already: left alone" in said


def test_a_run_that_was_cut_off_goes_on(make: Make, api: Server, chart: Path) -> None:
    api.controllers.remove(argocd)
    bootstrap = make(minutes=0.0)
    bootstrap.look()
    bootstrap.run()
    api.objects.pop(("apps", "deployments", "argocd", "argocd-server"))
    again = make(minutes=0.0)
    again.look()
    again.run()
    assert api.find("deployments", "argocd-server", "argocd") is not None


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "failed"])
def test_a_helm_that_was_cut_off_is_no_obstacle(make: Make, api: Server, status: str) -> None:
    """A pending release is what Helm leaves when it is killed, or loses the network, on its way."""
    api.controllers.remove(argocd)
    bootstrap = make(minutes=0.0)
    bootstrap.look()
    bootstrap.run()
    (release,) = [body for key, body in api.objects.items() if key[3].startswith("sh.helm.release")]
    packed = base64.b64decode(base64.b64decode(release["data"]["release"]))
    cut = gzip.decompress(packed).replace(b'"status":"deployed"', f'"status":"{status}"'.encode())
    release["data"]["release"] = base64.b64encode(base64.b64encode(gzip.compress(cut))).decode()
    release["metadata"]["labels"]["status"] = status
    bootstrap.run()
    releases = [body for key, body in sorted(api.objects.items()) if key[3].startswith("sh.helm.release")]
    assert releases[-1]["metadata"]["labels"]["status"] == "deployed"


def test_the_token_lies_in_its_secret_and_nowhere_else(
    make: Make, api: Server, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: list[str] = []
    real = subprocess.run

    def noted(command: Any, *rest: Any, **named: Any) -> Any:
        arguments.extend(str(one) for one in command)
        arguments.extend((named.get("env") or {}).values())
        return real(command, *rest, **named)

    monkeypatch.setattr("studio.cloud.bootstrap.cluster.subprocess.run", noted)
    bootstrap = make(token=TOKEN)
    bootstrap.look()
    bootstrap.run()
    secret = api.find("secrets", "repository", "argocd")
    assert secret is not None
    assert {name: base64.b64decode(value).decode() for name, value in secret["data"].items()} == {
        "type": "git",
        "url": REPOSITORY_URL,
        "username": "x-access-token",
        "password": TOKEN,
    }
    assert secret["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repository"}
    packed = base64.b64encode(TOKEN.encode()).decode()
    assert not any(TOKEN in one or packed in one for one in (*said, *arguments, repr(bootstrap)))
    others = [key for key, body in api.objects.items() if packed in json.dumps(body) or TOKEN in json.dumps(body)]
    assert others == [("", "secrets", "argocd", "repository")]


def test_only_looking_changes_nothing(make: Make, api: Server) -> None:
    make().look()
    assert {method for method, path, _ in api.calls if "selfsubjectaccessreviews" not in path} == {"GET"}


# What stops it


def test_placeholders_stop_before_any_account_is_asked(gitops: Path, make: Make, api: Server) -> None:
    tree.write(gitops, files(build(placeholders())))
    found = make().look()
    assert [one.check for one in make().stops(found)] == ["facts"]
    assert "from-account" in found[0].advice
    assert api.calls == []


@pytest.mark.parametrize(
    ("described_as", "check", "told"),
    [
        ({"endpoint": "https://another.example.com"}, "cluster", "facts.yaml says https://127.0.0.1"),
        ({"status": "CREATING"}, "cluster", "is CREATING"),
        ({"version": "1.34"}, "Kubernetes", f"1.34, the blueprint says {VERSION}"),
    ],
)
def test_another_cluster_stops_it(make: Make, described_as: dict[str, Any], check: str, told: str) -> None:
    bootstrap = make(described_as)
    stopping = bootstrap.stops(bootstrap.look())
    assert [one.check for one in stopping] == [check]
    assert told in stopping[0].found


def test_nobody_can_accept_another_cluster_but_a_version_may_be(make: Make) -> None:
    other = make({"status": "CREATING"}, accept=frozenset({"cluster"}))
    assert other.stops(other.look())
    older = make({"version": "1.34"}, accept=frozenset({"Kubernetes"}))
    assert older.stops(older.look()) == []


def test_facts_of_another_account_stop_it(make: Make, gitops: Path, facts: Facts) -> None:
    tree.write(gitops, files(build(replace(facts, account="210987654321"))))
    bootstrap = make()
    stopping = bootstrap.stops(bootstrap.look())
    assert "account" in {one.check for one in stopping}


def test_an_edited_manifest_stops_it_and_an_uncommitted_or_unpushed_one_is_told(make: Make, gitops: Path) -> None:
    edited = gitops / "platform" / "cluster" / "priorityclass-prod-high.yaml"
    text = edited.read_text()
    edited.write_text(text.replace("value: 1000000", "value: 1000001"))
    bootstrap = make()
    found = {one.check: one for one in bootstrap.look()}
    assert found["manifests"].state == "problem"
    assert "platform/cluster/priorityclass-prod-high.yaml" in found["manifests"].found
    assert found["git"].found == "1 files of gitops/ are not committed"
    assert found["branch main"].state == "ok"
    _commit(gitops.parent, "edited")
    assert {one.check: one for one in bootstrap.look()}["branch main"].state == "warning"


def test_without_git_the_rest_is_looked_at(make: Make, gitops: Path) -> None:
    shutil.rmtree(gitops.parent / ".git")
    found = state(make())
    assert (found["git"], found["nodes"]) == ("warning", "ok")


def test_a_cluster_without_ready_nodes_stops_it(make: Make, api: Server) -> None:
    for number in range(3):
        api.put("v1", "nodes", node(f"node-{number}", "False"))
    bootstrap = make()
    assert [one.check for one in bootstrap.stops(bootstrap.look())] == ["nodes"]


def test_released_images_are_told_apart_from_unreleased_ones(make: Make, gitops: Path) -> None:
    for path in gitops.rglob("kustomization.yaml"):
        path.write_text(path.read_text().replace(UNRELEASED, "0123abc"))
    assert state(make())["images"] == "ok"


def test_an_api_server_that_does_not_know_us_says_who_to_be(make: Make, api: Server) -> None:
    api.authenticate = lambda token: False
    with pytest.raises(StudioError) as raised:
        make().look()
    assert "DevOps-AssumeRole" in raised.value.advice


def test_an_api_server_out_of_reach_says_so(make: Make, gitops: Path, facts: Facts) -> None:
    nowhere = "https://127.0.0.1:9"
    changed = MappingProxyType({**facts.outputs, "cluster/endpoint": nowhere})
    tree.write(gitops, files(build(replace(facts, outputs=changed))))
    with pytest.raises(NotRunningError) as raised:
        make({"endpoint": nowhere}).look()
    assert "VPN" in raised.value.advice


def test_a_server_with_another_certificate_is_not_spoken_to(make: Make, tmp_path: Path) -> None:
    other = certificates(tmp_path, name="other")
    authority = base64.b64encode(other.authority.read_bytes()).decode()
    with pytest.raises(StudioError, match="certificate"):
        make({"authority": authority}).look()


def test_facts_that_are_no_yaml_are_one_line(make: Make, gitops: Path) -> None:
    (gitops / "facts.yaml").write_text("a: [")
    with pytest.raises(UsageError) as raised:
        make().look()
    assert "\n" not in raised.value.message


# What fails on the way


def test_workloads_that_do_not_come_up_are_named(make: Make, api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    api.controllers.remove(rollouts)
    monkeypatch.setattr(run, "WORKLOAD_MINUTES", 0.02)
    bootstrap = make()
    bootstrap.look()
    with pytest.raises(StudioError, match=r"deployment\.apps/argocd-server of ArgoCD does not become ready"):
        bootstrap.run()


def test_a_repository_that_argocd_cannot_read_is_told_with_its_remedy(make: Make, api: Server) -> None:
    message = "failed to generate manifests: authentication required: Repository not found."
    complaint = {"conditions": [{"type": "ComparisonError", "message": message}]}

    def refused(server: Server) -> None:
        root = server.find("applications", "pingvas", "argocd")
        if root is not None and "status" not in root:
            server.put("argoproj.io/v1alpha1", "applications", root | {"status": complaint})

    api.controllers[:] = [rollouts, refused]
    bootstrap = make()
    bootstrap.look()
    with pytest.raises(StudioError, match="authentication required") as raised:
        bootstrap.run()
    assert "ARGOCD_GIT_TOKEN" in raised.value.advice


def test_a_complaint_in_passing_stops_nothing(make: Make, api: Server, said: list[str]) -> None:
    """The repository server answers nobody for the moment in which its service learns of a new pod."""
    passing = {"conditions": [{"type": "ComparisonError", "message": "connection refused"}]}
    healthy = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}

    def judged(server: Server, status: dict[str, Any]) -> None:
        root = server.find("applications", "pingvas", "argocd")
        if root is not None and root.get("status") not in (status, healthy):
            server.put("argoproj.io/v1alpha1", "applications", root | {"status": status})

    api.controllers[:] = [rollouts, lambda server: judged(server, passing)]
    bootstrap = make()
    bootstrap.pause = lambda seconds: judged(api, healthy)
    bootstrap.look()
    bootstrap.run()
    assert said[-1] == "    pingvas is Synced and Healthy"


def test_a_platform_that_is_not_healthy_in_time_is_told_with_what_is_missing(make: Make, api: Server) -> None:
    api.controllers[:] = [rollouts]
    bootstrap = make(minutes=0.001)
    bootstrap.look()
    with pytest.raises(StudioError, match="0 of 0 applications are Synced and Healthy"):
        bootstrap.run()


def test_a_field_that_leaves_git_leaves_the_cluster(make: Make, api: Server, gitops: Path) -> None:
    bootstrap = make(minutes=0.0)
    bootstrap.look()
    bootstrap.run()
    path = gitops / "platform" / "cluster" / "namespace-velero.yaml"
    body = yaml.safe_load(path.read_text())
    label = next(iter(body["metadata"]["labels"]))
    del body["metadata"]["labels"][label]
    path.write_text(yaml.safe_dump(body))
    bootstrap.run()
    namespace = api.find("namespaces", "velero")
    assert namespace is not None
    assert label not in namespace["metadata"].get("labels", {})


# Its parts


def test_eks_describes_the_cluster_and_a_missing_one_is_told(emulator: Emulator) -> None:
    account = Account(REGION)
    with pytest.raises(StudioError, match=f"{REGION} has no cluster {NAME}"):
        describe(account, NAME)
    account.client("eks").create_cluster(
        name=NAME, version=VERSION, roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig={}
    )
    found = describe(account, NAME)
    assert (found.name, found.status, found.version) == (NAME, "ACTIVE", VERSION)
    assert found.endpoint.startswith("https://")


def test_a_kubeconfig_holds_no_secret_and_is_gone_afterwards(described: Described) -> None:
    config = kubeconfig(described, REGION, profile="pingvas")
    assert set(config["users"][0]["user"]) == {"exec"}
    with Cluster.opened(config) as cluster:
        folder = cluster._folder
        assert (folder.stat().st_mode & 0o777) == 0o700
    assert not folder.exists()


def test_without_credentials_the_plugin_says_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    nowhere = {name: str(tmp_path / "none") for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")}
    command = [sys.executable, "-m", "studio.cloud.bootstrap.token", NAME, REGION]
    done = subprocess.run(
        command,
        env={**os.environ, **nowhere, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("pingvas: no token for")
    assert done.stderr.count("\n") == 1


def test_the_chart_comes_from_its_pinned_repository_without_a_file(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def helm(self: Cluster, *arguments: str, timeout: float = 0) -> str:
        asked.extend(arguments)
        raise StudioError("far enough")

    monkeypatch.setattr(Cluster, "helm", helm)
    bootstrap = make()
    bootstrap.options = replace(bootstrap.options, chart=None)
    bootstrap.look()
    with pytest.raises(StudioError, match="far enough"):
        bootstrap.run()
    assert asked[:3] == ["upgrade", "--install", "argocd"]
    assert asked[3:8] == ["argo-cd", "--repo", run.ARGOCD.repository, "--version", run.ARGOCD.version]
    assert toolchain.helm().is_file()
