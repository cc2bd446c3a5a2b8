"""What the platform may cost and when that is told. US dollars; per cent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TEAM_EMAIL = "team@pingvas.studio"
"""Hears of everything informational, and of alarms where neither Slack nor PagerDuty is set up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A month's budget for the whole account.

    `amounts` by region are the estimate of `./pingvas cost` (1,497.33 in us-east-1, 1,860.95 in ap-northeast-2, in
    `dated`) and a quarter on top, so that 80 % of it is the first sign of more than was planned. The document's own
    total of 1,249.37 is lower: its table leaves out WAF, GuardDuty, KMS, the VPN, CloudTrail and others. Credits and
    refunds do not count, so that they cannot hide what is used.
    """

    amounts: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"us-east-1": 1_900, "ap-northeast-2": 2_350})
    )
    dated: str = "2026-11"
    actual: tuple[int, ...] = (80, 100)
    forecast: tuple[int, ...] = (100,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The daily cost report.

    09:00 in Seoul is 00:00 UTC, the minute at which Cost Explorer's day ends; a day's bill is complete some hours later
    (the Cost Explorer guide says within 24 hours). So the report's day is the one that ended `settled` days before,
    and the day that has just ended is told beside it as unfinished.
    """

    hour: int = 9
    timezone: str = "Asia/Seoul"
    settled: int = 1
    services: int = 8
    """How many services are listed; the rest is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Cost anomalies worth a message: at least this far above what was expected, in dollars and in per cent."""

    dollars: int = 20
    percent: int = 30


BUDGET = Budget()
REPORT = Report()
ANOMALY = Anomaly()
PROJECT_TAG = ("project", "pingvas-studio")
ENVIRONMENT_TAG = "environment"
SHARED = "shared"
"""Value of the tag `environment` on what both environments use."""
