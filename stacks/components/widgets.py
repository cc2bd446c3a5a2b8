"""What the CloudWatch dashboard is made of, as CloudWatch reads it: a grid, graphs, texts, alarms' states.

Source: CloudWatch API reference, "Dashboard body structure and syntax".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blueprint.alarms import ALARMS

COLUMNS = 24
HEIGHT = 6
PERCENT = {"left": {"min": 0, "max": 100}}

Metric = list[Any]


@dataclass(slots=True)
class Grid:
    """Widgets in rows, left to right, a row as high as its highest."""

    widgets: list[dict[str, Any]] = field(default_factory=list)
    _y: int = 0

    def row(self, widgets: Sequence[Mapping[str, Any]], *, height: int = HEIGHT) -> None:
        """Widgets side by side in equal parts of the width."""
        width = COLUMNS // len(widgets)
        for number, widget in enumerate(widgets):
            place = {"x": number * width, "y": self._y, "width": width, "height": height}
            self.widgets.append({**place, **widget})
        self._y += height

    def title(self, text: str) -> None:
        self.row([markdown(f"## {text}")], height=1)


class Graphs:
    """Makes graphs of one region."""

    def __init__(self, region: str) -> None:
        self._region = region

    def __call__(
        self,
        title: str,
        metrics: Iterable[Metric],
        *,
        stat: str = "Average",
        period: int = 60,
        limits: Mapping[str, float] | None = None,
        axis: Mapping[str, Any] | None = None,
        region: str = "",
        stacked: bool = False,
    ) -> dict[str, Any]:
        lines = [{"label": label, "value": value} for label, value in (limits or {}).items()]
        return {
            "type": "metric",
            "properties": {
                "title": title,
                "region": region or self._region,
                "view": "timeSeries",
                "stacked": stacked,
                "stat": stat,
                "period": period,
                "metrics": list(metrics),
                "yAxis": axis or {"left": {"min": 0}},
                **({"annotations": {"horizontal": lines}} if lines else {}),
            },
        }

    def logs(self, title: str, group: str, *query: str) -> dict[str, Any]:
        text = f"SOURCE '{group}' | " + " | ".join(query)
        return {
            "type": "log",
            "properties": {"title": title, "region": self._region, "view": "timeSeries", "query": text},
        }


def limits_of(*alarms: str) -> dict[str, float]:
    """The thresholds of alarms as lines in a graph."""
    return {f"{name} ({ALARMS[name].severity})": ALARMS[name].threshold for name in alarms}


def markdown(text: str) -> dict[str, Any]:
    return {"type": "text", "properties": {"markdown": text}}


def alarm_states(arns: list[str]) -> dict[str, Any]:
    return {"type": "alarm", "properties": {"title": "Alarms", "alarms": arns, "sortBy": "stateUpdatedTimestamp"}}
