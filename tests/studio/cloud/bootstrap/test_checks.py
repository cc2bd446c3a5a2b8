"""What a bootstrap looks at before it changes anything, and what stops it."""

import base64
import shutil
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from blueprint.cluster import VERSION
from k8s_charts import tree
from k8s_charts.facts import Facts, placeholders
from k8s_charts.folder import UNRELEASED
from k8s_charts.main import build, files
from studio.cloud.bootstrap import ACCEPTABLE
from studio.errors import NotRunningError, StudioError, UsageError
from tests.support.bootstrap import Make, commit, state
from tests.support.eks import node
from tests.support.kubernetes_api import Server
from tests.support.tls import certificates


def test_only_looking_changes_nothing(make: Make, api: Server) -> None:
    make().look()
    assert {method for method, path, _ in api.calls if "selfsubjectaccessreviews" not in path} == {"GET"}


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


@pytest.mark.parametrize("name", ["facts", "account", "cluster", "rights", "kubernetes"])
def test_nobody_can_accept_another_cluster_nor_what_is_no_check(make: Make, name: str) -> None:
    with pytest.raises(UsageError, match=f"No problem of {name} can be accepted") as raised:
        make(accept=frozenset({name})).look()
    assert all(one in raised.value.advice for one in ACCEPTABLE)


def test_another_version_may_be_accepted(make: Make) -> None:
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
    commit(gitops.parent, "edited")
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
