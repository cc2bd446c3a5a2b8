"""The bootstrap with real kubectl and helm against an API server in memory and an emulated STS."""

import base64
import gzip
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprint.delivery import REPOSITORY_URL
from studio.cloud.bootstrap import run
from studio.errors import StudioError
from tests.support.bootstrap import TOKEN, Make
from tests.support.eks import argocd, rollouts
from tests.support.kubernetes_api import Server


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
