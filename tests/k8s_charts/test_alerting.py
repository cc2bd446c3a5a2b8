"""Alertmanager: which alarm goes where, and in what form; tried by Alertmanager's own tool."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprint.alarms import ALARMS
from blueprint.notices import HEARTBEAT_TOPIC, RECEIVERS, SEVERITIES, topic
from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps
from k8s_charts.main import files
from k8s_charts.values.alertmanager import TEMPLATES, config
from tests.support.prometheus import amtool, write

FACTS = placeholders()
RESOLVED = {"firing": "ALARM", "resolved": "OK"}


@pytest.fixture(scope="module")
def stack(app: GitOps) -> dict[str, Any]:
    return dict(yaml.safe_load(files(app)["addons/kube-prometheus-stack/values.yaml"]))


def matches(matcher: str, labels: dict[str, str]) -> bool:
    name, operator, value = re.fullmatch(r'(\w+) (=~|=) "?([^"]*)"?', matcher).groups()  # type: ignore[union-attr]
    found = labels.get(name, "")
    return found == value if operator == "=" else re.fullmatch(value, found) is not None


ROUTES = [
    ({"alertname": "workers-missing", "severity": "critical", "environment": "prod", "source": "pingvas"}, "critical"),
    ({"alertname": "workers-missing", "severity": "warning", "environment": "dev", "source": "pingvas"}, "warning"),
    ({"alertname": "queue-length", "severity": "warning", "environment": "prod", "source": "pingvas"}, "warning"),
    ({"alertname": "any", "severity": "info", "source": "pingvas"}, "info"),
    ({"alertname": "CPUThrottlingHigh", "severity": "info"}, "nobody"),
    ({"alertname": "Watchdog", "severity": "none"}, "heartbeat"),
    ({"alertname": "InfoInhibitor", "severity": "none"}, "nobody"),
    ({"alertname": "KubeNodeNotReady", "severity": "warning"}, "warning"),
    ({"alertname": "of a severity that nobody knows", "severity": "odd"}, "warning"),
]


@pytest.mark.parametrize(("labels", "receiver"), ROUTES, ids=lambda one: one if isinstance(one, str) else None)
def test_an_alarm_goes_where_its_severity_says(labels: dict[str, str], receiver: str, tmp_path: Path) -> None:
    route = config(FACTS)["route"]
    found = next(
        (one["receiver"] for one in route["routes"] if all(matches(matcher, labels) for matcher in one["matchers"])),
        route["receiver"],
    )
    assert found == receiver
    file = write(tmp_path / "alertmanager.yaml", {**config(FACTS), "templates": []})
    done = amtool("config", "routes", "test", f"--config.file={file}", *(f"{k}={v}" for k, v in labels.items()))
    assert done.stdout.strip() == receiver, done.stderr


def test_alertmanager_accepts_its_configuration_and_its_templates(stack: dict[str, Any], tmp_path: Path) -> None:
    (name, text), *more = stack["alertmanager"]["templateFiles"].items()
    assert not more
    (tmp_path / name).write_text(text)
    made = stack["alertmanager"]["config"]
    assert made["templates"] == [f"/etc/alertmanager/config/{name}"]
    file = write(tmp_path / "alertmanager.yaml", {**made, "templates": [str(tmp_path / name)]})
    done = amtool("check-config", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_sign_of_life_comes_in_every_period_that_cloudwatch_counts(stack: dict[str, Any]) -> None:
    (route,) = [one for one in stack["alertmanager"]["config"]["route"]["routes"] if one["receiver"] == "heartbeat"]
    minutes = int(route["repeat_interval"].removesuffix("m")) + int(route["group_interval"].removesuffix("m"))
    assert minutes * 60 < ALARMS["prometheus-silent"].period
    assert stack["defaultRules"]["rules"].get("general", True), "the chart's Watchdog is the sign"
    assert "Watchdog" not in stack["defaultRules"]["disabled"]


def test_each_severity_is_published_to_its_topic(stack: dict[str, Any]) -> None:
    receivers = {one["name"]: one.get("sns_configs", []) for one in stack["alertmanager"]["config"]["receivers"]}
    assert receivers.pop("nobody") == []
    assert [one["topic_arn"].split(":")[-1] for one in receivers.pop("heartbeat")] == [HEARTBEAT_TOPIC]
    assert set(receivers) == set(SEVERITIES)
    for severity in SEVERITIES:
        arn = f"arn:aws:sns:{FACTS.region}:{FACTS.account}:{topic(severity)}"
        assert {one["topic_arn"] for one in receivers[severity]} == {arn}
        forms = {re.sub(r".*pingvas\.(\w+).*", r"\1", one["message"]) for one in receivers[severity]}
        wanted = {"pagerduty": "cloudwatch", "slack": "chat", "email": "text"}
        assert forms == {wanted[one] for one in RECEIVERS[severity]}
        assert all(one["send_resolved"] and one["sigv4"] == {"region": FACTS.region} for one in receivers[severity])


def rendered(form: str, tmp_path: Path, *, status: str = "firing") -> str:
    (tmp_path / "pingvas.tmpl").write_text(TEMPLATES)
    alert = {
        "status": status,
        "labels": {"alertname": "queue-wait", "environment": "prod"},
        "annotations": {"summary": 'one "job" in 20 \\ waited\n60 s', "description": "a worker's node; ü"},
        "startsAt": "2026-11-22T07:00:00Z",
        "endsAt": "2026-11-22T07:05:00Z",
        "generatorURL": "",
        "fingerprint": "1",
    }
    data = {
        "receiver": "critical",
        "status": status,
        "alerts": [alert, alert],
        "groupLabels": {"alertname": "queue-wait", "environment": "prod", "severity": "critical"},
        "commonLabels": alert["labels"],
        "commonAnnotations": {"description": "a worker's node; ü", "runbook_url": "https://example.com/a#b"},
        "externalURL": "",
    }
    done = amtool(
        "template",
        "render",
        f"--template.glob={tmp_path / '*.tmpl'}",
        f'--template.text={{{{ template "pingvas.{form}" . }}}}',
        f"--template.data={write(tmp_path / 'data.json', data)}",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_slack_gets_its_own_format_whatever_a_text_holds(tmp_path: Path) -> None:
    told = json.loads(rendered("chat", tmp_path))
    assert (told["version"], told["source"]) == ("1.0", "custom")
    assert told["content"]["title"] == "FIRING: queue-wait (prod)"
    assert told["content"]["description"].count('one "job" in 20 \\ waited\n60 s\n') == 2
    assert told["content"]["description"].endswith("a worker's node; ü")
    assert told["content"]["nextSteps"] == ["https://example.com/a#b"]
    assert "NewStateValue" not in told, "PagerDuty's subscription takes what has one"


@pytest.mark.parametrize(("status", "state"), RESOLVED.items())
def test_pagerduty_gets_a_cloudwatch_alarm_that_it_opens_and_closes(tmp_path: Path, status: str, state: str) -> None:
    told = json.loads(rendered("cloudwatch", tmp_path, status=status))
    assert (told["NewStateValue"], told["AlarmName"]) == (state, "pingvas-queue-wait-prod")
    assert told["StateChangeTime"] == "2026-11-22T07:00:00.000+0000"
    assert 'one "job"' in told["NewStateReason"] and "example.com" in told["AlarmDescription"]


def test_a_letter_is_text(tmp_path: Path) -> None:
    assert rendered("text", tmp_path).splitlines()[-1] == "https://example.com/a#b"
