"""Boards, rows and panels as Grafana reads them: no more of its model than our three dashboards need.

Source: Grafana documentation, "Dashboard JSON model"; schema version 39.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from blueprint.alarms import ALARMS
from blueprint.environments import CLUSTER_ENVIRONMENTS

COLUMNS = 24
HEIGHT = 8
SOURCE = {"type": "prometheus", "uid": "prometheus"}
"""The data source that kube-prometheus-stack makes of its own Prometheus."""
ENVIRONMENT = 'environment=~"$environment"'
"""The matcher of the board's variable, for series of ours."""
Unit = Literal["short", "percent", "s", "bytes", "mbytes", "reqps", "celsius", "watt", "none"]
Kind = Literal["timeseries", "stat", "bargauge", "piechart"]


@dataclass(frozen=True, slots=True)
class Query:
    """One line of a graph: PromQL, and how the line is named, by `{{label}}`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One graph or number. `alarm` draws the threshold of an alarm as a line; `height` is in Grafana's rows."""

    title: str
    queries: Sequence[Query]
    unit: Unit = "short"
    kind: Kind = "timeseries"
    alarm: str = ""
    text: str = ""
    stacked: bool = False
    maximum: float | None = None
    height: int = HEIGHT

    def body(self, number: int, place: dict[str, int]) -> dict[str, Any]:
        """As JSON has it, at a place of the grid."""
        return {
            "id": number,
            "title": self.title,
            "description": self.text,
            "type": self.kind,
            "datasource": SOURCE,
            "gridPos": place,
            "targets": [
                {
                    "refId": chr(ord("A") + position),
                    "datasource": SOURCE,
                    "expr": query.expr,
                    "legendFormat": query.legend or "__auto",
                    "range": self.kind == "timeseries",
                    "instant": self.kind != "timeseries",
                }
                for position, query in enumerate(self.queries)
            ],
            "fieldConfig": {"defaults": self._field(), "overrides": []},
            "options": self._options(),
        }

    def _field(self) -> dict[str, Any]:
        custom: dict[str, Any] = {"fillOpacity": 10, "showPoints": "never", "spanNulls": False}
        if self.stacked:
            custom |= {"stacking": {"mode": "normal"}, "fillOpacity": 40}
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.alarm:
            alarm = ALARMS[self.alarm]
            steps.append({"color": "red" if alarm.severity == "critical" else "orange", "value": alarm.threshold})
            custom["thresholdsStyle"] = {"mode": "line"}
        return {
            "unit": self.unit,
            "min": 0,
            **({"max": self.maximum} if self.maximum is not None else {}),
            "thresholds": {"mode": "absolute", "steps": steps},
            **({"custom": custom} if self.kind == "timeseries" else {}),
        }

    def _options(self) -> dict[str, Any]:
        if self.kind == "timeseries":
            return {
                "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        values = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        if self.kind == "piechart":
            return {**values, "pieType": "donut", "legend": {"displayMode": "table", "placement": "right"}}
        return {**values, "orientation": "auto", "textMode": "auto"} if self.kind == "stat" else values


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, in equal parts of the width."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard; `name` is part of its address and of its ConfigMap's name."""

    name: str
    title: str
    rows: Sequence[Row]
    hours: int = 6
    refresh: str = "30s"
    tags: Sequence[str] = field(default=("pingvas",))

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row.panels]

    def body(self) -> dict[str, Any]:
        """The dashboard as JSON has it."""
        made: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            made.append(
                {
                    "id": len(made) + 1,
                    "type": "row",
                    "title": row.title,
                    "collapsed": False,
                    "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
                    "panels": [],
                }
            )
            y += 1
            width = COLUMNS // len(row.panels)
            for position, panel in enumerate(row.panels):
                place = {"x": position * width, "y": y, "w": width, "h": panel.height}
                made.append(panel.body(len(made) + 1, place))
            y += max(panel.height for panel in row.panels)
        return {
            "uid": f"pingvas-{self.name}",
            "title": self.title,
            "tags": list(self.tags),
            "schemaVersion": 39,
            "editable": False,
            "timezone": "browser",
            "refresh": self.refresh,
            "time": {"from": f"now-{self.hours}h", "to": "now"},
            "templating": {"list": [_environments()]},
            "panels": made,
        }

    def text(self) -> str:
        """A line a value, so that one number is one line of a diff."""
        return json.dumps(self.body(), indent=1) + "\n"


def grown(metric: str, matchers: str, window: str) -> str:
    """By how much counters grew whose pods live shorter than anybody looks: of a series that begins within the window
    the number itself, since increase() holds what it begins with for old. A worker that made one picture made none
    otherwise.

    >>> grown("jobs_total", 'a="b"', "5m").partition(" or ")[0]
    '((increase(jobs_total{a="b"}[5m]) and jobs_total{a="b"} offset 5m)'
    """
    series = f"{metric}{{{matchers}}}"
    old = f"(increase({series}[{window}]) and {series} offset {window})"
    new = f"(max_over_time({series}[{window}]) unless {series} offset {window})"
    return f"({old} or {new})"


def quantiles(
    metric: str, matchers: str, *, by: str = "", window: str = "5m", short_lived: bool = False
) -> list[Query]:
    """P50, P95 and P99 of a histogram; `short_lived` where its pods are (`grown`).

    >>> quantiles("waited_seconds", 'a="b"')[0].expr
    'histogram_quantile(0.5, sum by (le) (rate(waited_seconds_bucket{a="b"}[5m])))'
    """
    labels = ", ".join(one for one in ("le", by) if one)
    buckets = f"{metric}_bucket"
    counted = grown(buckets, matchers, window) if short_lived else f"rate({buckets}{{{matchers}}}[{window}])"
    return [
        Query(
            f"histogram_quantile({share}, sum by ({labels}) ({counted}))",
            f"P{share * 100:g}" + (f" {{{{{by}}}}}" if by else ""),
        )
        for share in (0.5, 0.95, 0.99)
    ]


def _environments() -> dict[str, Any]:
    names = [one.name for one in CLUSTER_ENVIRONMENTS]
    every = {"text": "All", "value": "$__all"}
    return {
        "name": "environment",
        "label": "Environment",
        "type": "custom",
        "query": ",".join(names),
        "multi": True,
        "includeAll": True,
        "current": {"selected": True, **every},
        "options": [
            {"selected": True, **every},
            *({"selected": False, "text": name, "value": name} for name in names),
        ],
    }
