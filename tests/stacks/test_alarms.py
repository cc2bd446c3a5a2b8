"""Alarms: every row of the platform's table, once, with its figures and its channel; nothing is watched in vain."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from blueprint.alarms import ALARMS
from blueprint.connections import connections
from blueprint.notices import NOTICES, SEVERITIES
from tests.support.observability import alarms
from tests.support.policies import Policies
from tests.support.templates import Templates, synthesize

ROOT = Path(__file__).parents[2]
KIND = "AWS::CloudWatch::Alarm"
ROWS = {
    "Aurora CPU > 90 % 5 min": ("critical", 90, 300),
    "Redis replication lag > 5 s 2 min": ("critical", 5, 120),
    "API 5xx > 5 % 3 min": ("critical", 5, 180),
    "GPU Spot interruption at once": ("critical", 0, 60),
    "dev quota > 90 % 10 min": ("warning", 90, 600),
    "prod quota > 80 % 5 min": ("warning", 80, 300),
    "queue length > 100 15 min": ("warning", 100, 900),
    "pod restarts > 5 in 10 min": ("warning", 5, 600),
    "node CPU > 80 % 5 min": ("warning", 80, 300),
    "node memory > 85 % 5 min": ("warning", 85, 300),
    "API errors > 1 % 1 min": ("warning", 1, 60),
    "queue wait > 60 s": ("warning", 60, 300),
    "daily cost report 09:00": ("info", 0, 60),
    "backup completion": ("info", 0, 60),
    "security scan results": ("info", 0, 60),
}
"""The platform's alarm table, word by word: severity, threshold, seconds (of a metric)."""
WATCHED = {
    # name: threshold, seconds, topic
    "aurora-cpu-writer": (90, 300, "critical"),
    "aurora-cpu-reader": (90, 300, "critical"),
    "redis-replication-lag-prod": (5, 120, "critical"),
    "api-5xx-prod": (5, 180, "critical"),
    "api-5xx-dev": (5, 180, "warning"),
    "api-errors-prod": (1, 60, "warning"),
    "api-errors-dev": (1, 60, "warning"),
    "gpu-spot-interruption": (0, 60, "critical"),
    "api-load-balancer-5xx": (5, 180, "critical"),
    "api-no-healthy-target-prod": (1, 300, "critical"),
    "api-no-healthy-target-dev": (1, 300, "warning"),
    "guardduty-high": (0, 60, "critical"),
    "trail-changed": (0, 60, "critical"),
    "root-use": (0, 60, "critical"),
    "prometheus-silent": (1, 900, "warning"),
}


def topic(policies: Policies, reference: Any) -> str:
    return str(policies.resolve(reference, "Observability")).rsplit(":pingvas-", 1)[1]


def period(properties: Mapping[str, Any]) -> int:
    queries = properties.get("Metrics")
    if queries is None:
        return int(properties["Period"])
    (only,) = {query["MetricStat"]["Period"] for query in queries if "MetricStat" in query}
    return int(only)


def metrics(properties: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Namespace, name and dimensions of every metric that an alarm reads."""
    queries = properties.get("Metrics") or [{"MetricStat": {"Metric": properties}}]
    for query in queries:
        if "MetricStat" in query:
            metric = query["MetricStat"]["Metric"]
            dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
            yield metric["Namespace"], metric["MetricName"], dimensions


@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_the_table_is_one_alarm_with_one_owner(row: str) -> None:
    (alarm,) = [one for one in ALARMS.values() if one.row == row]
    severity, threshold, seconds = ROWS[row]
    assert (alarm.severity, alarm.threshold, alarm.evaluation) == (severity, threshold, seconds)
    assert alarm.comparison == "GreaterThanThreshold"
    assert alarm.owner in ("cloudwatch", "prometheus")


def test_no_row_is_invented() -> None:
    assert {one.row for one in ALARMS.values() if one.row} == set(ROWS)


@pytest.mark.parametrize("name", WATCHED)
def test_a_watched_row_fires_when_and_where_it_should(templates: Templates, policies: Policies, name: str) -> None:
    threshold, seconds, where = WATCHED[name]
    found = alarms(templates)[name].properties
    assert found["Threshold"] == threshold
    assert period(found) * found["EvaluationPeriods"] == seconds
    assert [topic(policies, one) for one in found["AlarmActions"]] == [where]
    at_once = name == "gpu-spot-interruption"
    assert found["DatapointsToAlarm"] == (1 if at_once else found["EvaluationPeriods"])


def test_spot_interruptions_are_seen_within_ten_seconds(templates: Templates) -> None:
    assert period(alarms(templates)["gpu-spot-interruption"].properties) == 10


def test_cloudwatch_watches_what_it_owns_and_nothing_else(templates: Templates, region: str) -> None:
    owned = {one.name for one in ALARMS.values() if one.owner == "cloudwatch" and one.signal == "metric"}
    if region != "us-east-1":
        owned.remove("cdn-5xx")  # CloudFront's metrics live in us-east-1
    made = alarms(templates)
    base = {name: max((one for one in ALARMS if name == one or name.startswith(f"{one}-")), key=len) for name in made}
    assert set(base.values()) == owned
    for name, of in base.items():
        assert ALARMS[of].owner == "cloudwatch", name


def test_every_alarm_says_what_missing_data_means_and_what_to_do(templates: Templates) -> None:
    for name, alarm in alarms(templates).items():
        found = alarm.properties
        assert found["TreatMissingData"] in ("notBreaching", "breaching", "ignore"), name
        assert re.search(
            r"https://github\.com/pingvas/studio/blob/main/docs/alarms\.md#[a-z0-9-]+$", found["AlarmDescription"]
        )
        assert len(found["AlarmActions"]) == 1, name


def test_an_end_is_told_unless_somebody_has_to_look(templates: Templates) -> None:
    for name, alarm in alarms(templates).items():
        found = alarm.properties
        if name in ("guardduty-high", "trail-changed", "root-use"):
            assert "OKActions" not in found, name
        else:
            assert found["OKActions"] == found["AlarmActions"], name


def test_silence_of_services_is_an_alarm_and_silence_of_errors_is_none(templates: Templates) -> None:
    breaching = {name for name, one in alarms(templates).items() if one.properties["TreatMissingData"] == "breaching"}
    assert breaching == {"api-no-healthy-target-dev", "api-no-healthy-target-prod", "prometheus-silent"}


def test_alarms_read_what_is_really_there(templates: Templates, policies: Policies, region: str) -> None:
    """Every name in a dimension is the name of something in some template."""

    def names(kind: str, name: str) -> set[str]:
        return {
            str(policies.resolve(one.properties[name], one.stack))
            for one in templates.resources(kind)
            if name in one.properties
        }

    def attribute(kind: str, suffix: str = "") -> set[str]:
        return {policies.name(one) + suffix for one in templates.resources(kind)}

    nodes = {
        f"{one.properties['ReplicationGroupId']}-{number:03}"
        for one in templates.resources("AWS::ElastiCache::ReplicationGroup")
        for number in range(1, one.properties["NumCacheClusters"] + 1)
    }
    real = {
        "DBClusterIdentifier": names("AWS::RDS::DBCluster", "DBClusterIdentifier"),
        "Role": {"WRITER", "READER"},
        "CacheClusterId": nodes,
        "LoadBalancer": attribute("AWS::ElasticLoadBalancingV2::LoadBalancer", ".LoadBalancerFullName"),
        "TargetGroup": attribute("AWS::ElasticLoadBalancingV2::TargetGroup", ".TargetGroupFullName"),
        "FileSystemId": attribute("AWS::EFS::FileSystem"),
        "NatGatewayId": attribute("AWS::EC2::NatGateway"),
        "DistributionId": attribute("AWS::CloudFront::Distribution"),
        "Region": {"Global"},
        "QueueName": attribute("AWS::SQS::Queue"),
        "FunctionName": names("AWS::Lambda::Function", "FunctionName"),
        "TopicName": names("AWS::SNS::Topic", "TopicName"),
        "RuleName": names("AWS::Events::Rule", "Name"),
        "Cluster": names("AWS::EKS::Cluster", "Name"),
    }
    seen: dict[str, set[str]] = {}
    for alarm in templates.resources(KIND):
        for _, _, dimensions in metrics(alarm.properties):
            for name, value in dimensions.items():
                seen.setdefault(name, set()).add(str(policies.resolve(value, alarm.stack)))
    for name, values in seen.items():
        assert values <= real[name], name
    expected = set(real) - ({"DistributionId", "Region"} if region != "us-east-1" else set())
    assert set(seen) == expected
    assert seen["CacheClusterId"] == nodes
    assert len(seen["TargetGroup"]) == 10


def test_metrics_of_our_own_are_published(templates: Templates) -> None:
    """CloudWatch alarms nothing that nobody measures: our namespaces have a publisher each."""
    own = {
        (namespace, metric)
        for one in templates.resources(KIND)
        for namespace, metric, _ in metrics(one.properties)
        if not namespace.startswith("AWS/")
    }
    function = templates.one("AWS::Lambda::Function", stack="Observability", FunctionName="pingvas-spot-notice")
    variables = function.properties["Environment"]["Variables"]
    published = {(variables["NAMESPACE"], variables["METRIC"])}
    for one in templates.resources("AWS::Logs::MetricFilter"):
        for made in one.properties["MetricTransformations"]:
            published.add((made["MetricNamespace"], made["MetricName"]))
    assert own <= published
    assert own == {("Pingvas/Spot", "GpuInterruptions"), ("Pingvas/Audit", "RootUse")}


def test_the_root_user_is_looked_for_in_the_trail_of_all_regions(templates: Templates, policies: Policies) -> None:
    filtered = templates.one("AWS::Logs::MetricFilter", stack="Observability").properties
    trail = templates.one("AWS::CloudTrail::Trail")
    assert trail.properties["IsMultiRegionTrail"] is True
    group = str(policies.resolve(trail.properties["CloudWatchLogsLogGroupArn"], trail.stack))
    assert f":log-group:{filtered['LogGroupName']}:" in group
    assert '$.userIdentity.type = "Root"' in filtered["FilterPattern"]


def test_connections_follow_the_capacity() -> None:
    for capacity in (2, 8):
        made = synthesize(region="us-east-1", aurora_max_acu=capacity)
        expected = connections(minimum=0.5, maximum=capacity)
        assert alarms(made)["aurora-connections"].properties["Threshold"] == expected
    assert 0.75 < connections(minimum=0.5, maximum=4) / 823 < 0.8  # AWS's table gives 823 for 4 ACU


def test_every_nat_gateway_is_watched() -> None:
    for gateways in (1, 3):
        made = synthesize(region="us-east-1", nat_gateways=gateways)
        assert len([name for name in alarms(made) if name.startswith("nat-ports")]) == gateways


def test_without_cloudfront_nobody_watches_it() -> None:
    made = synthesize(region="us-east-1", cloudfront=False)
    assert not [name for name in alarms(made) if name.startswith("cdn-")]
    assert {name for name in alarms(synthesize(region="us-east-1")) if name.startswith("cdn-")} == {
        "cdn-5xx-dev",
        "cdn-5xx-prod",
    }


def test_the_runbook_knows_every_alarm_and_nothing_else() -> None:
    headings = re.findall(r"^### (.+)$", (ROOT / "docs" / "alarms.md").read_text(), re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert set(headings) == {*ALARMS, *NOTICES}


def test_severities_are_the_three() -> None:
    assert {one.severity for one in (*ALARMS.values(), *NOTICES.values())} == set(SEVERITIES)
