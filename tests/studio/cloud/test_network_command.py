"""`./pingvas network` tells what the manifests say, and fails where that is not what the blueprint lists."""

import json
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from blueprint.environments import CLUSTER_ENVIRONMENTS
from k8s_charts.facts import placeholders
from k8s_charts.main import build
from studio.cli import run
from studio.cloud import toolchain
from studio.cloud.drawing import text
from studio.cloud.reachability.drawing import PICTURE, SIZE, draw
from studio.cloud.reachability.estate import estate, synthesized
from studio.cloud.reachability.lines import lines
from studio.cloud.reachability.report import Report, report
from studio.errors import Exit

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def found() -> Report:
    return report(estate(synthesized()))


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The checkout's policies in one folder, to be changed."""
    for folder in build(placeholders()).folders():
        for body in folder.objects():
            if body["kind"] == "NetworkPolicy":
                name = f"{body['metadata']['namespace']}-{body['metadata']['name']}.yaml"
                (tmp_path / name).write_text(yaml.safe_dump(body))
    return tmp_path


def test_the_committed_picture_is_that_of_the_policies(found: Report) -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw(found), "`./pingvas network --draw` makes it anew"


def test_the_picture_needs_nothing_from_elsewhere_and_tells_its_cells(found: Report) -> None:
    drawn = draw(found)
    root = ET.fromstring(drawn)  # noqa: S314 (our own)
    assert root.get("role") == "img"
    assert "prefers-color-scheme: dark" in drawn
    told = [node.text for node in root.iter(f"{SVG}title")]
    assert "load balancer to prod/user-service: tcp/8001" in told
    assert not any(one and one.startswith("dev/") and " to prod/" in one for one in told)


def test_names_of_the_picture_lie_within_it(found: Report) -> None:
    root = ET.fromstring(draw(found))  # noqa: S314 (our own)
    widest = max(text.width(one.label, SIZE) for one in lines(found.own, (pod.name for pod in found.estate.pods)))
    first = min(float(node.get("x") or 0) for node in root.iter(f"{SVG}text") if "end" in (node.get("class") or ""))
    assert first - widest > 0


def test_an_opened_policy_fails_with_the_pair(policies: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = policies / "prod-allow-same-namespace.yaml"
    body = yaml.safe_load(path.read_text())
    body["spec"]["ingress"] = [{}]
    path.write_text(yaml.safe_dump(body))
    assert run(["network", "--policies", str(policies)]) == Exit.FAILED
    told = capfd.readouterr().err
    assert "private-subnets -> prod/user-service: open on any, allowed nothing" in " ".join(told.split())
    assert "(network-config-analyzer)" in told


def test_what_is_no_policy_is_wrong_usage(policies: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = policies / "prod-allow-dns.yaml"
    path.write_text(path.read_text().replace("podSelector:", "podSelektor:", 1))
    assert run(["network", "--policies", str(policies)]) == Exit.USAGE
    assert "prod/allow-dns" in capfd.readouterr().err
    assert run(["network", "--policies", str(policies / "nowhere")]) == Exit.USAGE


def test_the_analyser_is_installed_before_two_threads_ask_it(policies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[threading.Thread] = []
    program = toolchain.nca()
    monkeypatch.setattr(toolchain, "nca", lambda: asked.append(threading.current_thread()) or program)
    assert run(["network", "--policies", str(policies)]) == Exit.OK
    assert asked[0] is threading.main_thread()


def test_json_has_every_pair_as_both_see_it(policies: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["network", "--policies", str(policies), "--json"]) == Exit.OK
    told = json.loads(capfd.readouterr().out)
    [pair] = [one for one in told["pairs"] if (one["source"], one["target"]) == ("public-subnets", "dev/user-service")]
    assert pair["ports"] == ["tcp/8001", "tcp/8001"]
    assert pair["allowed"] == "tcp/8001"
    assert pair["why"] == "the load balancer"
    assert told["problems"] == []


def test_a_name_that_nobody_has_is_a_problem(found: Report) -> None:
    gone = replace(found.estate, pods=tuple(one for one in found.estate.pods if one.app != "gpu-worker"))
    missing = replace(found, estate=gone).missing
    assert missing == [f"{one.namespace}/gpu-worker" for one in CLUSTER_ENVIRONMENTS]
