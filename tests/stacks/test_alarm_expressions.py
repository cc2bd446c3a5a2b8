"""Alarms as CloudWatch works them out of what it measures."""

from typing import Any

import pytest

from tests.support.observability import alarms
from tests.support.templates import Resource, Templates


def fill(values: list[Any], other: float) -> list[float]:
    return [other if one is None else one for one in values]


def value(alarm: Resource, **data: list[float | None]) -> float:
    """CloudWatch's metric math of an alarm, for one period of data: None is no data."""
    (expression,) = [query["Expression"] for query in alarm.properties["Metrics"] if "Expression" in query]
    functions = {
        "METRICS": lambda name: data[name],
        "FILL": fill,
        "SUM": sum,
        "MIN": min,
        "MAX": lambda values: max(one for one in values if one is not None),
        "IF": lambda condition, yes, no: yes if condition else no,
    }
    return float(eval(expression, {"__builtins__": {}}, functions))  # noqa: S307 (our own template)


@pytest.mark.parametrize(
    ("name", "errors", "requests", "fires"),
    [
        ("api-5xx-prod", [None] * 5, [None] * 5, False),  # nobody calls
        ("api-5xx-prod", [4, None, None, None, None], [4, 0, 0, 0, 0], False),  # four failures in a quiet night
        ("api-5xx-prod", [5, None, None, None, None], [5, None, None, None, None], True),
        ("api-5xx-prod", [3, None, 3, None, None], [60, 0, 60, 0, 0], False),  # exactly 5 %
        ("api-5xx-prod", [3, None, 4, None, None], [60, 0, 60, 0, 0], True),
        ("api-5xx-prod", [None, None, None, None, 100], [10_000, 0, 0, 0, 1000], False),
        ("api-errors-prod", [2, None, None, None, None], [2, 0, 0, 0, 0], False),
        ("api-errors-prod", [3, None, None, None, None], [300, 0, 0, 0, 0], False),  # exactly 1 %
        ("api-errors-prod", [3, None, None, None, None], [290, 0, 0, 0, 0], True),
        ("api-load-balancer-5xx", [10], [None], True),  # no pod: no request reaches a target
        ("api-load-balancer-5xx", [10], [190], False),  # exactly 5 % of all
        ("api-load-balancer-5xx", [11], [190], True),
        ("api-load-balancer-5xx", [4], [None], False),
    ],
)
def test_error_rates_are_of_traffic_worth_judging(
    templates: Templates, name: str, errors: list[float | None], requests: list[float | None], fires: bool
) -> None:
    alarm = alarms(templates)[name]
    assert (value(alarm, errors=errors, total=requests) > alarm.properties["Threshold"]) is fires
    counts = [one["MetricStat"]["Metric"]["MetricName"] for one in alarm.properties["Metrics"] if "MetricStat" in one]
    assert len(counts) == len(errors) + len(requests) <= 10, "CloudWatch takes ten metrics an alarm"


@pytest.mark.parametrize(
    ("healthy", "fires"), [([2, 2, 2, 2, 2], False), ([2, 0, 2, 2, 2], True), ([2, None, 2, 2, 2], True)]
)
def test_a_service_without_pods_is_noticed_even_when_its_metric_is_gone(
    templates: Templates, healthy: list[float | None], fires: bool
) -> None:
    alarm = alarms(templates)["api-no-healthy-target-prod"]
    assert alarm.properties["ComparisonOperator"] == "LessThanThreshold"
    assert (value(alarm, one=healthy) < 1) is fires


def test_replication_lag_is_that_of_the_worst_replica(templates: Templates) -> None:
    alarm = alarms(templates)["redis-replication-lag-prod"]
    assert value(alarm, one=[None, 0.2, 7.5]) == 7.5
    assert "redis-replication-lag-dev" not in alarms(templates), "dev's Redis has no replica"
