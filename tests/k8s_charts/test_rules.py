"""The rules of the alarms that Prometheus watches, tried by Prometheus itself at the documents' figures."""

from pathlib import Path
from typing import Any

import pytest

from blueprint.alarms import ALARMS
from blueprint.cold_start import COLD_START
from blueprint.environments import CLUSTER_ENVIRONMENTS
from k8s_charts.rules import WATCHES
from tests.support.alarm_cases import CASES, Case
from tests.support.manifests import Manifests
from tests.support.prometheus import OTHERS, asked, grouped, own, promtool, write

OWNED = {name for name, alarm in ALARMS.items() if alarm.owner == "prometheus"}


@pytest.fixture(scope="module")
def groups(manifests: Manifests) -> list[dict[str, Any]]:
    return list(manifests.one("PrometheusRule", "pingvas", namespace="monitoring").body["spec"]["groups"])


@pytest.fixture(scope="module")
def rules(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alarm}: {case.what}")
def test_an_alarm_fires_at_the_documents_figures_and_not_below(
    case: Case, groups: list[dict[str, Any]], rules: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = write(tmp_path / "rules.yaml", {"groups": groups})
    expected: list[dict[str, Any]] = []
    if case.fires is not None:
        rule = next(one for one in rules if one["alert"] == case.alarm)
        told = {**rule["annotations"], "summary": case.summary}
        expected = [{"exp_labels": {"source": "pingvas", **case.fires}, "exp_annotations": told}]
    test = {
        "rule_files": [str(file)],
        "evaluation_interval": case.every,
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "alert_rule_test": [{"eval_time": case.at, "alertname": case.alarm, "exp_alerts": expected}],
            }
        ],
    }
    done = promtool("test", "rules", write(tmp_path / "test.yaml", test))
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_every_rule(groups: list[dict[str, Any]], tmp_path: Path) -> None:
    done = promtool("check", "rules", write(tmp_path / "rules.yaml", {"groups": groups}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(len(group['rules']) for group in groups)} rules found" in done.stdout


def test_every_alarm_of_prometheus_has_its_rule_and_nobody_elses_has(rules: list[dict[str, Any]]) -> None:
    assert set(WATCHES) == OWNED
    assert {rule["alert"] for rule in rules} == OWNED
    assert {case.alarm for case in CASES if case.fires is not None} == OWNED, "an alarm that no case fires"
    assert {case.alarm for case in CASES if case.fires is None} == OWNED, "an alarm that no case keeps silent"


def test_a_rule_says_where_to_read_what_to_do(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        anchor = f"https://github.com/pingvas/studio/blob/main/docs/alarms.md#{rule['alert']}"
        assert rule["annotations"]["runbook_url"] == anchor
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_what_belongs_to_an_environment_is_watched_in_each_with_its_own_severity(rules: list[dict[str, Any]]) -> None:
    for name in ("queue-length", "queue-wait", "workers-missing"):
        found = {rule["labels"]["environment"]: rule for rule in rules if rule["alert"] == name}
        assert set(found) == {one.name for one in CLUSTER_ENVIRONMENTS}
        for environment in CLUSTER_ENVIRONMENTS:
            assert found[environment.name]["labels"]["severity"] == ALARMS[name].severity_in(environment.name)
            others = {one.name for one in CLUSTER_ENVIRONMENTS} - {environment.name}
            assert not any(f'"{other}"' in found[environment.name]["expr"] for other in others)


def test_rules_ask_for_metrics_and_labels_that_exist(rules: list[dict[str, Any]]) -> None:
    """A rule about a metric that nobody exports never fires, and nobody sees that it does not."""
    known = {**OTHERS, **own()}
    for rule in rules:
        metrics = asked(rule["expr"])
        assert metrics, rule["expr"]
        for metric, labels in metrics.items():
            assert metric in known, f"{rule['alert']}: nobody exports {metric}"
            assert labels <= known[metric], f"{rule['alert']}: {metric} has no {labels - known[metric]}"
        assert grouped(rule["expr"]) <= set().union(*(known[metric] for metric in metrics)), rule["alert"]
        assert any(metric.startswith(ALARMS[rule["alert"]].metric) for metric in metrics), rule["alert"]


def test_missing_workers_are_no_alarm_while_a_cold_node_may_still_come() -> None:
    assert ALARMS["workers-missing"].evaluation > 2 * COLD_START.total
