"""Budgets, the daily cost report's schedule, the dashboard, tags."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from blueprint.finance import BUDGET
from blueprint.regions import GLOBAL_REGION
from studio.cloud.cost import estimate_of
from tests.support.iam import Request, allowed
from tests.support.observability import SLACK, STACK, role_of
from tests.support.policies import Policies
from tests.support.templates import Resource, Templates, synthesize

# -- money -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "readers"), [({}, {"SNS"}), (SLACK, {"SNS", "EMAIL"})], ids=["mail", "slack"])
def test_the_budget_warns_at_80_and_100_per_cent_and_when_100_is_to_come(
    settings: dict[str, str], readers: set[str], region: str
) -> None:
    templates = synthesize(region=region, **settings)
    made = templates.one("AWS::Budgets::Budget").properties
    budget = made["Budget"]
    assert (budget["BudgetType"], budget["TimeUnit"]) == ("COST", "MONTHLY")
    assert budget["BudgetLimit"] == {"Amount": BUDGET.amounts[region], "Unit": "USD"}
    assert (budget["CostTypes"]["IncludeCredit"], budget["CostTypes"]["IncludeRefund"]) == (False, False)
    limits = set()
    for one in made["NotificationsWithSubscribers"]:
        rule = one["Notification"]
        assert (rule["ComparisonOperator"], rule["ThresholdType"]) == ("GREATER_THAN", "PERCENTAGE")
        limits.add((rule["NotificationType"], rule["Threshold"]))
        assert {reader["SubscriptionType"] for reader in one["Subscribers"]} == readers
    assert limits == {("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}


def test_what_is_planned_stays_below_the_first_warning(region: str) -> None:
    estimate = estimate_of((), region).total
    first = min(BUDGET.actual) / 100 * BUDGET.amounts[region]
    assert estimate < first < 1.15 * float(estimate), "neither a warning every month nor one that comes too late"


def test_anomalies_are_of_this_project_and_worth_a_message(templates: Templates, policies: Policies) -> None:
    monitor = templates.one("AWS::CE::AnomalyMonitor").properties
    # an account may have one monitor by service, and AWS makes that one itself: a second would be refused
    assert monitor["MonitorType"] == "CUSTOM"
    assert json.loads(monitor["MonitorSpecification"]) == {"Tags": {"Key": "project", "Values": ["pingvas-studio"]}}
    subscription = templates.one("AWS::CE::AnomalySubscription").properties
    assert subscription["Frequency"] == "IMMEDIATE"
    (reader,) = subscription["Subscribers"]
    assert str(policies.resolve(reader["Address"], STACK)).endswith(":pingvas-warning")
    both = json.loads(subscription["ThresholdExpression"])["And"]
    assert {one["Dimensions"]["Key"]: one["Dimensions"]["Values"] for one in both} == {
        "ANOMALY_TOTAL_IMPACT_ABSOLUTE": ["20"],
        "ANOMALY_TOTAL_IMPACT_PERCENTAGE": ["30"],
    }


def test_the_cost_report_goes_out_at_nine_in_seoul(templates: Templates, policies: Policies, region: str) -> None:
    schedule = templates.one("AWS::Scheduler::Schedule").properties
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
        "cron(0 9 * * ? *)",
        "Asia/Seoul",
    )
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert json.loads(schedule["Target"]["Input"]) == {"time": "<aws.scheduler.scheduled-time>"}
    function = templates.one("AWS::Lambda::Function", FunctionName="pingvas-cost-report")
    assert policies.resolve(schedule["Target"]["Arn"], STACK) == policies.arn(function)
    role = role_of(templates, "CostReport/ScheduleRole")
    for other, may in ((policies.arn(function), True), (policies.arn(function) + "-other", False)):
        request = Request(action="lambda:InvokeFunction", resource=other, principal=policies.arn(role))
        assert allowed(request, identity=policies.identity(role)) is may
    variables = function.properties["Environment"]["Variables"]
    assert str(policies.resolve(variables["TOPIC_ARN"], STACK)).endswith(":pingvas-info")
    assert variables["BUDGET"] == str(BUDGET.amounts[region])


def test_functions_are_small_and_their_logs_end(templates: Templates, policies: Policies) -> None:
    groups = {
        one.properties["LogGroupName"]: one.properties
        for one in templates.resources("AWS::Logs::LogGroup", stack=STACK)
    }
    made = list(templates.resources("AWS::Lambda::Function", stack=STACK))
    assert {one.properties["FunctionName"] for one in made} == {"pingvas-cost-report", "pingvas-spot-notice"}
    for one in made:
        found = one.properties
        assert (found["Runtime"], found["Architectures"]) == ("python3.13", ["arm64"])
        assert "TargetArn" in found["DeadLetterConfig"]
        log = groups[f"/aws/lambda/{found['FunctionName']}"]
        assert log["RetentionInDays"] == 30
        assert "KmsKeyId" in log


# -- the dashboard ---------------------------------------------------------------------------------------------------


def dashboard(templates: Templates, region: str) -> dict[str, Any]:
    found = templates.one("AWS::CloudWatch::Dashboard")
    assert found.properties["DashboardName"] == "pingvas-studio"
    body = Policies(templates, region=region).resolve(found.properties["DashboardBody"], found.stack)
    return json.loads(body)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "title",
    [
        "Node CPU %",
        "Node memory %",
        "GPU utilisation %",
        *(f"API P{one} in seconds ({env})" for one in (50, 95, 99) for env in ("dev", "prod")),
        *(f"{one} ({env})" for one in ("Queue wait in seconds", "Error rate %") for env in ("dev", "prod")),
        "Aurora capacity in ACU",
        "Aurora CPU %",
        "Aurora connections",
        "Redis memory %",
        "EFS",
        "CloudFront 5xx %",
        "Cost of this month",
    ],
)
def test_the_dashboard_shows(templates: Templates, region: str, title: str) -> None:
    (widget,) = [
        one for one in dashboard(templates, region)["widgets"] if one["properties"].get("title", "").startswith(title)
    ]
    if widget["type"] == "log":
        assert "pct(waited, 95)" in widget["properties"]["query"]
        return
    assert widget["properties"]["metrics"]
    if title.startswith("API P"):
        assert widget["properties"]["stat"] == title.split()[1].lower()
        assert len(widget["properties"]["metrics"]) == 5


def test_widgets_neither_overlap_nor_stick_out(templates: Templates, region: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for widget in dashboard(templates, region)["widgets"]:
        name = widget["properties"].get("title") or widget["properties"]["markdown"]
        assert widget["x"] + widget["width"] <= 24, name
        assert widget["width"] >= 6 and widget["height"] >= 1, name
        for x in range(widget["x"], widget["x"] + widget["width"]):
            for y in range(widget["y"], widget["y"] + widget["height"]):
                assert (x, y) not in taken, f"{name} lies over {taken[x, y]}"
                taken[x, y] = name
    height = max(y for _, y in taken) + 1
    assert {(x, y) for x in range(24) for y in range(height)} == set(taken), "no holes"


def test_graphs_read_the_region_where_their_metrics_live(templates: Templates, region: str) -> None:
    for widget in dashboard(templates, region)["widgets"]:
        namespaces = {one[0] for one in widget["properties"].get("metrics", []) if isinstance(one[0], str)}
        if namespaces:
            everywhere = namespaces <= {"AWS/CloudFront", "AWS/Billing"}
            assert widget["properties"]["region"] == (GLOBAL_REGION if everywhere else region)


def test_what_needs_an_agent_says_so(templates: Templates, region: str) -> None:
    widgets = dashboard(templates, region)["widgets"]
    for widget in widgets:
        if "ContainerInsights" in json.dumps(widget["properties"].get("metrics", [])):
            assert "Container Insights; Grafana has it without" in widget["properties"]["title"]
    assert "amazon-cloudwatch-observability" in widgets[0]["properties"]["markdown"]


def test_the_dashboard_shows_every_alarm_and_its_threshold(templates: Templates, region: str) -> None:
    body = dashboard(templates, region)
    (widget,) = [one for one in body["widgets"] if one["type"] == "alarm"]
    names = {one.properties["AlarmName"] for one in templates.resources("AWS::CloudWatch::Alarm")}
    assert {arn.rsplit(":", 1)[1] for arn in widget["properties"]["alarms"]} == names
    assert len(names) <= 100, "CloudWatch shows a hundred"
    lines = {
        line["label"]: line["value"]
        for one in body["widgets"]
        for line in one["properties"].get("annotations", {}).get("horizontal", [])
    }
    assert lines["aurora-cpu (critical)"] == 90
    assert lines["api-5xx (critical)"] == 5
    assert lines["budget"] == BUDGET.amounts[region]


def test_the_queues_wait_is_in_the_workers_log(templates: Templates, region: str) -> None:
    """The graph reads a line that the worker writes; both are named here, so that neither changes alone."""
    line = json.dumps({"log": json.dumps({"event": "attempt ended", "waited": 12.5})})
    graphs = [one for one in dashboard(templates, region)["widgets"] if one["type"] == "log"]
    assert len(graphs) == 2
    for widget in graphs:
        query = widget["properties"]["query"]
        pattern = re.search(r"parse @message /(.+?)/ \|", query)
        assert pattern
        for text in (line, '{"event": "attempt ended", "waited": 12.5}'):
            found = re.search(pattern[1].replace("(?<", "(?P<"), text)
            assert found and found["waited"] == "12.5"


# -- tags ------------------------------------------------------------------------------------------------------------


def tags(resource: Resource) -> dict[str, str]:
    found = resource.properties.get("Tags", [])
    return dict(found) if isinstance(found, Mapping) else {one["Key"]: one["Value"] for one in found}


def test_costs_can_be_told_apart_by_environment(templates: Templates) -> None:
    kinds = {
        "AWS::S3::Bucket": "BucketName",
        "AWS::SecretsManager::Secret": "Name",
        "AWS::ElastiCache::ReplicationGroup": "ReplicationGroupId",
        "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    }
    for kind, name in kinds.items():
        for one in templates.resources(kind):
            text = json.dumps(one.properties.get(name))
            owner = next((env for env in ("dev", "prod") if re.search(rf"\b{env}\b", text)), "shared")
            assert tags(one)["environment"] == owner, text
    assert sorted(tags(one)["environment"] for one in templates.resources("AWS::CloudFront::Distribution")) == [
        "dev",
        "prod",
    ]


def test_everything_that_takes_tags_is_of_the_project(templates: Templates) -> None:
    for one in templates.resources():
        found = tags(one)
        if found and one.type not in ("AWS::EC2::LaunchTemplate",):
            assert found.get("project") == "pingvas-studio", one.path
            assert found.get("environment") in ("dev", "prod", "shared"), one.path
