"""Prometheus, its exporters and the log pipeline in numbers; alarms stand in `blueprint.alarms`.

Memory and CPU of these pods stand in `blueprint.components`.
"""

from dataclasses import dataclass

from blueprint.alarms import ALARMS
from blueprint.delivery import REPOSITORY
from blueprint.rules import demand

NAMESPACE = "monitoring"
DASHBOARD_LABEL = ("grafana_dashboard", "1")
"""ConfigMaps that Grafana's sidecar takes for dashboards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """How often it looks, how long it remembers and on what disk.

    `filled` is the share of the volume at which it forgets its oldest day: the write-ahead log and a compaction need
    the rest.
    """

    scrape_seconds: int = 15
    retention_days: int = 15
    volume_gib: int = 50
    filled: float = 0.85
    storage_class: str = "gp3"

    @property
    def retention_size(self) -> str:
        """What its blocks may take, in the operator's form. Prometheus' GB is 2**30 bytes.

        >>> PROMETHEUS.retention_size
        '42GB'
        """
        return f"{int(self.volume_gib * self.filled)}GB"

    @property
    def series(self) -> int:
        """How many series fit for the whole of the time, at 1.7 bytes a sample (Prometheus documentation, "Storage":
        1 to 2).

        >>> PROMETHEUS.series
        310689
        """
        samples = self.retention_days * 86_400 / self.scrape_seconds
        return int(self.volume_gib * self.filled * 1024**3 / samples / 1.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatch:
    """What is copied out of CloudWatch into Prometheus.

    CloudWatch bills each look at a metric, so it is asked rarely. Two minutes pass until a minute's figure is there:
    `length_seconds` reaches back far enough to find one. S3 tells sizes once a day, some hours later.
    """

    scrape_seconds: int = 300
    period_seconds: int = 300
    length_seconds: int = 900
    daily_period_seconds: int = 86_400
    daily_length_seconds: int = 3 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """The log pipeline: what a node's agent holds and how long it waits before it writes to S3."""

    buffer_mib: int = 32
    """Of lines read and not yet sent, in memory; beyond it the agent stops reading and the files wait."""
    disk_mib: int = 512
    """On a node's disk, of what CloudWatch Logs or S3 does not take at the moment."""
    upload_minutes: int = 30
    upload_mib: int = 50
    state: str = "/var/fluent-bit"
    """Folder of the node: how far each file has been read, and what waits."""


PROMETHEUS = Prometheus()
CLOUDWATCH = CloudWatch()
LOGS = Logs()
ENDED_KEPT_SECONDS = 300
"""Alertmanager's resolve_timeout: an alarm that Prometheus no longer tells of has ended."""
REPEAT_HOURS = 12
"""An alarm that is still on is told again."""


def runbook(anchor: str) -> str:
    """The address of an alarm's part of the runbook; `anchor` as `Alarm.anchor` gives it.

    >>> runbook(ALARMS["queue-wait"].anchor)
    'https://github.com/pingvas/studio/blob/main/docs/alarms.md#queue-wait'
    """
    return f"https://github.com/{REPOSITORY}/blob/main/{anchor}"


def check(prometheus: Prometheus = PROMETHEUS, cloudwatch: CloudWatch = CLOUDWATCH) -> None:
    """The rules between these numbers.

    Raises:
        RuleError: one is broken; the message names the number.
    """
    demand(
        1 <= prometheus.scrape_seconds <= 60,
        "monitoring.prometheus.scrape_seconds",
        prometheus.scrape_seconds,
        "must be from 1 to 60: rules look at windows of four scrapes",
    )
    demand(
        0 < prometheus.filled <= 0.9,
        "monitoring.prometheus.filled",
        prometheus.filled,
        "must leave a tenth of the volume to the write-ahead log and to compactions",
    )
    demand(
        prometheus.volume_gib >= 10,
        "monitoring.prometheus.volume_gib",
        prometheus.volume_gib,
        "must be 10 or more, or a day does not fit",
    )
    for alarm in ALARMS.values():
        if alarm.owner == "prometheus":
            demand(
                alarm.period >= 4 * prometheus.scrape_seconds,
                f"alarms.{alarm.name}.period",
                alarm.period,
                f"must be four scrapes or more, {4 * prometheus.scrape_seconds} seconds, or one lost scrape blinds it",
            )
    demand(
        cloudwatch.length_seconds >= 2 * cloudwatch.period_seconds,
        "monitoring.cloudwatch.length_seconds",
        cloudwatch.length_seconds,
        "must be two periods or more, since the last is never complete",
    )
