"""`./pingvas capacity`: tables that a person can read in 80 columns, JSON, and numbers tried for once."""

import json
import re

import pytest

from blueprint.capacity import prove
from blueprint.cluster import SYSTEM
from blueprint.loads import PLAN, loads
from blueprint.pools import GPU
from studio.cli import run
from studio.cloud.capacity import changed
from studio.errors import Exit, UsageError

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def shown(capsys: Captured, monkeypatch: pytest.MonkeyPatch, columns: int, *arguments: str) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(["capacity", *arguments]) == Exit.OK
    return capsys.readouterr().out


@pytest.mark.parametrize("columns", [80, 120])
def test_the_tables_fit_the_terminal_and_cut_no_name(
    columns: int, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(capsys, monkeypatch, columns)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= columns
    for load in loads():
        assert re.search(rf"^{re.escape(load.name)} ", text, re.MULTILINE), load.name
    for place in ("system", "general", "gpu"):
        for one in PLAN.types(place):  # type: ignore[arg-type]
            assert re.search(rf"^{re.escape(one.name)} ", text, re.MULTILINE), one.name
    assert text.endswith("Everything fits.\n")


def test_the_figures_are_the_proofs(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(capsys, monkeypatch, 120)
    assert re.search(r"^g5\.xlarge +4, 16Gi +3920m 14162Mi +9: 430m +912Mi +3490m 13250Mi +49$", text, re.MULTILINE)
    assert re.search(r"^gpu-worker +3 \+ 10 +2000m 12288Mi +", text, re.MULTILINE)
    for check in prove().checks:
        of = "" if check.given is None else f" of {check.given:,.10g}"
        assert f"{check.asked:,.10g}{of}" in text


def test_json_holds_all_of_it(capsys: Captured) -> None:
    assert run(["capacity", "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    proof = prove()
    assert told["ok"] is True
    assert told["failures"] == []
    assert (len(told["pods"]), len(told["nodes"])) == (len(proof.fits), len(proof.nodes))
    assert [one["what"] for one in told["checks"]] == [one.what for one in proof.checks]
    worker = next(one for one in told["pods"] if one["name"] == "gpu-worker" and one["type"] == "g5.xlarge")
    assert worker["asks"] == {"cpu": 2000, "memory": 12288, "gpu": 1}
    assert worker["lacks"] == []
    node = next(one for one in told["nodes"] if one["type"] == "t3.medium")
    assert node["nodes"] == SYSTEM.desired - 1


def test_what_does_not_fit_is_told_in_a_line_each_and_exits_with_1(capsys: Captured) -> None:
    assert run(["capacity", "--set", "worker.memory_gib=15"]) == Exit.FAILED
    told = capsys.readouterr()
    assert "Everything fits" not in told.out
    lines = [line for line in told.err.splitlines() if line.startswith("pingvas: worker.memory_gib = 15: ")]
    assert len(lines) == 2, "g4dn.xlarge and g5.xlarge, once each"
    assert run(["capacity", "--set", "worker.memory_gib=15", "--json"]) == Exit.FAILED
    refused = json.loads(capsys.readouterr().out)
    assert refused["ok"] is False
    assert any(line.startswith("worker.memory_gib = 15: ") for line in refused["failures"])
    assert refused["nodes"] == [], "nodes cannot be counted for what fits none"


def test_another_number_of_gpus_moves_what_follows_it(capsys: Captured) -> None:
    assert run(["capacity", "--gpus", "15", "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    most = next(one for one in told["checks"] if one["what"] == "KEDA's maximum of prod")
    assert (most["asked"], most["given"]) == (15, 15)
    assert next(one for one in told["checks"] if one["topic"] == "account")["asked"] == 120
    assert run(["capacity", "--gpus", "0"]) == Exit.FAILED


def test_edge_and_cache_inside_the_cluster_take_more_nodes(capsys: Captured) -> None:
    nodes = []
    for arguments in ([], ["--in-cluster"]):
        assert run(["capacity", "--json", *arguments]) == Exit.OK
        told = json.loads(capsys.readouterr().out)
        nodes.append(next(one["nodes"] for one in told["nodes"] if one["type"] == "m5.large"))
    assert nodes[0] < nodes[1]


def test_every_number_that_a_failure_names_can_be_tried() -> None:
    names = {check.setting for check in prove().checks if check.setting and check.setting != "network.private"}
    names |= {load.setting(field)[0] for load in loads() for field in ("cpu", "memory")}
    for name in sorted(names):
        if not name.startswith("cluster.MIGRATION"):
            assert changed([f"{name}=7"]) != PLAN, name


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("worker.memory_gib", "name=value"),
        ("worker.memory_gib=much", "'much' is not a whole number"),
        ("worker.cpu=-1", "must be 0 or more"),
        ("worker.cpu=nan", "and finite"),
        ("worker.cpu=inf", "and finite"),
        ("worker.wings=2", "no such number"),
        ("worker=2", "no such number"),
        ("services.mail.cpu=1", "there is no 'mail'"),
        ("environments.prod.replicas.maximum.most=1", "maximum is a number"),
        ("environments.prod.host=1", "no such number"),
        ("moon.phase=1", "no such number"),
        ("cluster.general.types=1", "no such number"),
        ("components.prometheus.replicas=201", "more than 200 are not tried"),
        ("worker.gpu=0", "a worker has a GPU"),
    ],
)
def test_a_number_that_is_none_is_wrong_usage(pair: str, says: str, capsys: Captured) -> None:
    with pytest.raises(UsageError) as raised:
        changed([pair])
    assert says in raised.value.message
    assert run(["capacity", "--set", pair]) == Exit.USAGE
    assert "Traceback" not in capsys.readouterr().err


def test_several_numbers_are_tried_together() -> None:
    plan = changed(["worker.memory_gib=11", "worker.cpu=3", "environments.dev.workers.maximum=2"])
    assert (plan.worker.memory_gib, plan.worker.cpu) == (11, 3.0)
    assert plan.environments[0].workers.maximum == 2
    assert changed(["cluster.gpu-workers.gpu=20"]).gpu.cpu == 160
    assert PLAN.gpu == GPU
