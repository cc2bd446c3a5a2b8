"""What an alarm is; `blueprint.alarms` has them all. Seconds."""

from dataclasses import dataclass
from typing import Literal

from blueprint.environments import EnvironmentName
from blueprint.notices import RUNBOOK, Severity

Comparison = Literal["GreaterThanThreshold", "LessThanThreshold"]
MINUTE = 60
PAGED: tuple[EnvironmentName, ...] = ("prod",)
"""Environments whose own critical alarms wake somebody; another's are sent as warnings ("PagerDuty (prod)")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm.

    `metric` is the owner's name of it, `namespace` CloudWatch's; with `signal="event"` it is an EventBridge detail
    type, with `signal="schedule"` a time. It fires when `statistic` is beyond `threshold` in every period of
    `evaluation`. `missing` says what a period without data means. `least` is the number of errors in a period below
    which a ratio is not judged, so that one failure in a quiet night is no 100 %.
    """

    name: str
    severity: Severity
    owner: Literal["cloudwatch", "prometheus"]
    metric: str
    reason: str
    row: str = ""
    signal: Literal["metric", "event", "schedule"] = "metric"
    namespace: str = ""
    statistic: str = "Average"
    threshold: float = 0.0
    comparison: Comparison = "GreaterThanThreshold"
    period: int = 60
    evaluation: int = 60
    missing: Literal["notBreaching", "breaching", "ignore"] = "notBreaching"
    least: int = 0
    enough: int = 0
    """How many periods of `evaluation` suffice; 0: all of them."""
    resolves: bool = True
    """Whether its end is told too, which closes PagerDuty's incident. What happened once waits for a person."""

    @property
    def periods(self) -> int:
        """How many periods in a row are beyond the threshold before it fires.

        >>> Alarm(name="lag", severity="critical", owner="cloudwatch", metric="Lag", reason="", evaluation=120).periods
        2
        """
        return self.evaluation // self.period

    @property
    def anchor(self) -> str:
        """Its place in the runbook."""
        return f"{RUNBOOK}#{self.name}"

    def severity_in(self, environment: EnvironmentName) -> Severity:
        """Its severity for something that one environment owns.

        >>> one = Alarm(name="5xx", severity="critical", owner="cloudwatch", metric="Errors", reason="")
        >>> one.severity_in("prod"), one.severity_in("dev")
        ('critical', 'warning')
        """
        return "warning" if self.severity == "critical" and environment not in PAGED else self.severity
