"""Notices: which events are told, to whom and how."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from blueprint.cluster import SPOT_WARNING
from blueprint.notices import NOTICES
from tests.support.observability import SLACK, STACK
from tests.support.policies import Policies
from tests.support.templates import Resource, Templates, synthesize


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """EventBridge's matching, as far as the notices use it: lists of values, numeric ranges, nested fields, $or."""
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(matches(one, event) for one in wanted):
                return False
        elif isinstance(wanted, Mapping):
            if not isinstance(event.get(name), Mapping) or not matches(wanted, event[name]):
                return False
        else:
            values = event.get(name)
            if not any(
                _one(rule, value) for rule in wanted for value in (values if isinstance(values, list) else [values])
            ):
                return False
    return True


def _one(rule: Any, value: Any) -> bool:
    if not isinstance(rule, Mapping):
        return bool(rule == value)
    (limits,) = rule.values()
    assert list(rule) == ["numeric"]
    compare = {">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b}
    pairs = zip(limits[::2], limits[1::2], strict=True)
    return isinstance(value, int | float) and all(compare[sign](value, limit) for sign, limit in pairs)


def event(source: str, kind: str, **detail: Any) -> dict[str, Any]:
    return {"source": source, "detail-type": kind, "detail": detail}


def backup(state: str) -> dict[str, Any]:
    return event("aws.backup", "Backup Job State Change", state=state)


def scan(**counts: int) -> dict[str, Any]:
    return event("aws.ecr", "ECR Image Scan", **{"scan-status": "COMPLETE", "finding-severity-counts": counts})


def finding(severity: float) -> dict[str, Any]:
    return event("aws.guardduty", "GuardDuty Finding", severity=severity)


def call(name: str) -> dict[str, Any]:
    return event(
        "aws.cloudtrail", "AWS API Call via CloudTrail", eventSource="cloudtrail.amazonaws.com", eventName=name
    )


EVENTS: list[tuple[dict[str, Any], str | None]] = [
    (backup("COMPLETED"), "info"),
    (backup("FAILED"), "warning"),
    (backup("ABORTED"), "warning"),
    (backup("EXPIRED"), "warning"),
    (backup("RUNNING"), None),
    (event("aws.rds", "RDS DB Cluster Snapshot Event", EventCategories=["backup"], EventID="RDS-EVENT-0169"), "info"),
    (event("aws.rds", "RDS DB Cluster Snapshot Event", EventCategories=["backup"], EventID="RDS-EVENT-0168"), None),
    (event("aws.rds", "RDS DB Cluster Event", EventCategories=["failover"]), "warning"),
    (event("aws.rds", "RDS DB Cluster Event", EventCategories=["maintenance"]), None),
    (scan(CRITICAL=1), "info"),
    (scan(HIGH=2, MEDIUM=4), "info"),
    (scan(MEDIUM=4), None),
    (event("aws.ecr", "ECR Image Scan", **{"scan-status": "FAILED"}), "info"),
    (finding(9.5), "critical"),
    (finding(7), "critical"),
    (finding(6.9), "warning"),
    (finding(4), "warning"),
    (finding(3.9), None),
    (call("StopLogging"), "critical"),
    (call("DeleteTrail"), "critical"),
    (call("UpdateTrail"), "critical"),
    (call("PutEventSelectors"), "critical"),
    (call("DescribeTrails"), None),
    (event("aws.secretsmanager", "AWS Service Event via CloudTrail", eventName="RotationFailed"), "warning"),
    (event("aws.secretsmanager", "AWS Service Event via CloudTrail", eventName="RotationSucceeded"), None),
    (event("aws.acm", "ACM Certificate Approaching Expiration", DaysToExpiry=31), "warning"),
    (event("aws.health", "AWS Health Event", eventTypeCategory="issue"), "warning"),
    (event("aws.health", "AWS Health Event", eventTypeCategory="accountNotification"), None),
]


def rules(templates: Templates) -> dict[str, Resource]:
    found = {
        one.properties["Name"].removeprefix("pingvas-"): one
        for one in templates.resources("AWS::Events::Rule", stack=STACK)
    }
    assert found.pop("gpu-spot-interruption").properties["EventPattern"]["detail-type"] == [SPOT_WARNING]
    return found


@pytest.mark.parametrize(("happened", "severity"), EVENTS, ids=lambda one: str(one)[:90])
def test_events_are_told_to_the_right_topic(
    templates: Templates, policies: Policies, happened: dict[str, Any], severity: str | None
) -> None:
    told = {
        str(policies.resolve(target["Arn"], STACK)).rsplit("-", 1)[1]
        for rule in rules(templates).values()
        if matches(rule.properties["EventPattern"], happened)
        for target in rule.properties["Targets"]
    }
    assert told == ({severity} if severity else set())


def test_each_notice_has_its_rule_and_is_tried_by_some_event(templates: Templates) -> None:
    made = rules(templates)
    assert set(made) == set(NOTICES)
    for name, rule in made.items():
        assert any(matches(rule.properties["EventPattern"], one) for one, _ in EVENTS), name


@pytest.mark.parametrize("settings", [{}, SLACK], ids=["mail", "slack"])
def test_messages_are_complete_and_in_the_readers_format(settings: dict[str, str]) -> None:
    templates = synthesize(region="us-east-1", **settings)
    for name, rule in rules(templates).items():
        (target,) = rule.properties["Targets"]
        message = target["InputTransformer"]
        used = set(re.findall(r"<(\w+)>", message["InputTemplate"]))
        assert used == set(message["InputPathsMap"]), name
        filled = re.sub(r"<\w+>", "value", message["InputTemplate"])
        if settings and NOTICES[name].severity != "info":
            content = json.loads(filled)
            assert (content["version"], content["source"]) == ("1.0", "custom")  # Slack drops any other form of text
            text = json.dumps(content)
        else:
            text = "\n".join(json.loads(line) for line in filled.splitlines())
        assert NOTICES[name].title in text
        assert f"docs/alarms.md#{name}" in text
