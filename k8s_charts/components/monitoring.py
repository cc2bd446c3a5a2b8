"""Kinds of the Prometheus operator, typed: rules and what is scraped.

Source: Prometheus Operator, API reference of monitoring.coreos.com/v1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constructs import Construct

from blueprint.monitoring import PROMETHEUS
from k8s_charts.folder import CustomResource

API = "monitoring.coreos.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alert. `hold` is how long `expr` must give something, as Prometheus writes a duration."""

    alert: str
    expr: str
    hold: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def body(self) -> dict[str, Any]:
        return {
            "alert": self.alert,
            "expr": self.expr,
            "for": self.hold,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
        }


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after the other, at Prometheus' own interval."""

    name: str
    rules: Sequence[AlertRule]

    def body(self) -> dict[str, Any]:
        return {"name": self.name, "rules": [rule.body() for rule in self.rules]}


class PrometheusRule(CustomResource):
    """Groups of rules."""

    def __init__(self, scope: Construct, name: str, *, groups: Sequence[RuleGroup]) -> None:
        super().__init__(
            scope,
            name,
            api_version=API,
            kind="PrometheusRule",
            spec={"groups": [one.body() for one in groups]},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabel:
    """One step of relabelling; without `source` the target gets `replacement` as it stands."""

    target: str = ""
    source: Sequence[str] = ()
    regex: str = ""
    replacement: str = ""
    action: str = ""

    def body(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "action": self.action,
            "sourceLabels": list(self.source),
            "regex": self.regex,
            "targetLabel": self.target,
            "replacement": self.replacement,
        }
        return {name: part for name, part in parts.items() if part}


class PodMonitor(CustomResource):
    """Pods of some namespaces, chosen by labels, asked for /metrics on a named port."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        namespaces: Sequence[str],
        labels: Mapping[str, str],
        port: str,
        job_label: str = "app.kubernetes.io/name",
        relabel: Sequence[Relabel] = (),
        drop: str = "",
    ) -> None:
        """`drop` is a pattern of metric names that are not kept."""
        endpoint: dict[str, Any] = {
            "port": port,
            "path": "/metrics",
            "interval": f"{PROMETHEUS.scrape_seconds}s",
            "scrapeTimeout": f"{min(10, PROMETHEUS.scrape_seconds)}s",
            "relabelings": [one.body() for one in relabel],
            "metricRelabelings": [Relabel(source=["__name__"], regex=drop, action="drop").body()] if drop else [],
        }
        super().__init__(
            scope,
            name,
            api_version=API,
            kind="PodMonitor",
            spec={
                "jobLabel": job_label,
                "namespaceSelector": {"matchNames": list(namespaces)},
                "selector": {"matchLabels": dict(labels)},
                "podMetricsEndpoints": [{key: value for key, value in endpoint.items() if value}],
            },
        )
