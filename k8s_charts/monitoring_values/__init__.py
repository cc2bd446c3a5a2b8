"""Values of the charts that measure, alarm and collect logs, by the chart's name in `blueprint.charts`."""

from collections.abc import Mapping
from typing import Any

from k8s_charts.facts import Facts
from k8s_charts.monitoring_values import exporters, logs, prometheus_stack


def all_of(facts: Facts) -> Mapping[str, dict[str, Any]]:
    """What each folder `addons/<name>` holds."""
    return {
        "kube-prometheus-stack": prometheus_stack.values(facts),
        "dcgm-exporter": exporters.dcgm(),
        "cloudwatch-exporter": exporters.cloudwatch(facts),
        "fluent-bit": logs.values(facts),
    }
