"""Events of AWS that are told as they happen, and who hears what severity."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
RECEIVERS: MappingProxyType[Severity, tuple[str, ...]] = MappingProxyType(
    {"critical": ("pagerduty", "slack"), "warning": ("slack",), "info": ("email",)}
)
"""Who hears a severity. What is not set up is replaced by e-mail, so that no alarm goes unheard."""
RUNBOOK = "docs/alarms.md"
TOPICS_KEY_ALIAS = "alias/pingvas/topics"
"""Of the key that the topics are encrypted with."""

HEARTBEAT_TOPIC = "pingvas-heartbeat"
"""What Alertmanager publishes to while it and Prometheus live; nobody hears it, CloudWatch counts it."""


def topic(severity: Severity) -> str:
    """The name of a severity's SNS topic.

    >>> topic("critical")
    'pingvas-critical'
    """
    return f"pingvas-{severity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Events of AWS that are told as they happen. `pattern` is EventBridge's.

    `text` is a sentence with `<field>` where a value of `fields` (JSON paths into the event) belongs. A critical notice
    also raises an alarm of its own name, since PagerDuty understands alarms alone.
    """

    name: str
    severity: Severity
    pattern: MappingProxyType[str, object]
    title: str
    text: str
    fields: MappingProxyType[str, str]
    alarm: str = ""
    """The row of section 4 that it is, if any."""

    @property
    def anchor(self) -> str:
        return f"{RUNBOOK}#{self.name}"


def _notice(
    name: str,
    severity: Severity,
    *,
    source: str,
    kinds: tuple[str, ...],
    title: str,
    text: str,
    fields: Mapping[str, str],
    detail: Mapping[str, object] | None = None,
    alarm: str = "",
) -> Notice:
    pattern = {"source": [source], "detail-type": list(kinds), **({"detail": detail} if detail else {})}
    return Notice(
        name=name,
        severity=severity,
        pattern=MappingProxyType(pattern),
        title=title,
        text=text,
        fields=MappingProxyType(dict(fields)),
        alarm=alarm,
    )


GUARDDUTY_HIGH = 7.0
"""Severities 7.0 to 8.9 are high and 9.0 upward critical, 4.0 to 6.9 medium (GuardDuty user guide)."""
GUARDDUTY_MEDIUM = 4.0
_FINDING = {"type": "$.detail.type", "level": "$.detail.severity", "finding": "$.detail.id"}
_MANY: list[object] = [{"numeric": [">", 0]}]

_ALL = (
    _notice(
        "backup-completion",
        "info",
        source="aws.backup",
        kinds=("Backup Job State Change",),
        detail={"state": ["COMPLETED"]},
        title="Backup completed",
        text="The backup of <resource> is complete: <size> bytes, recovery point in <vault>.",
        alarm="backup-completion",
        fields={
            "resource": "$.detail.resourceArn",
            "size": "$.detail.backupSizeInBytes",
            "vault": "$.detail.backupVaultName",
        },
    ),
    _notice(
        "database-snapshot",
        "info",
        source="aws.rds",
        kinds=("RDS DB Cluster Snapshot Event",),
        detail={"EventCategories": ["backup"], "EventID": ["RDS-EVENT-0075", "RDS-EVENT-0169"]},
        title="Database snapshot made",
        text="<snapshot>: <message>",
        alarm="backup-completion",
        fields={
            "snapshot": "$.detail.SourceIdentifier",
            "message": "$.detail.Message",
        },
    ),
    _notice(
        "backup-failure",
        "warning",
        source="aws.backup",
        kinds=("Backup Job State Change",),
        detail={"state": ["FAILED", "ABORTED", "EXPIRED"]},
        title="Backup failed",
        text="The backup of <resource> ended as <state>: <message>",
        fields={
            "resource": "$.detail.resourceArn",
            "state": "$.detail.state",
            "message": "$.detail.statusMessage",
        },
    ),
    _notice(
        "database-failover",
        "warning",
        source="aws.rds",
        kinds=("RDS DB Cluster Event", "RDS DB Instance Event"),
        detail={"EventCategories": ["failover", "failure"]},
        title="Database failover or failure",
        text="<database>: <message>",
        fields={
            "database": "$.detail.SourceIdentifier",
            "message": "$.detail.Message",
        },
    ),
    _notice(
        "security-scan",
        "info",
        source="aws.ecr",
        kinds=("ECR Image Scan",),
        detail={
            "$or": [
                {"finding-severity-counts": {"CRITICAL": _MANY}},
                {"finding-severity-counts": {"HIGH": _MANY}},
                {"scan-status": ["FAILED"]},
            ]
        },
        title="Image scan",
        text="Scan of <repository> <tags>: <status>, critical <critical>, high <high>.",
        alarm="security-scan",
        fields={
            "repository": "$.detail.repository-name",
            "tags": "$.detail.image-tags[0]",
            "status": "$.detail.scan-status",
            "critical": "$.detail.finding-severity-counts.CRITICAL",
            "high": "$.detail.finding-severity-counts.HIGH",
        },
    ),
    _notice(
        "guardduty-high",
        "critical",
        source="aws.guardduty",
        kinds=("GuardDuty Finding",),
        detail={"severity": [{"numeric": [">=", GUARDDUTY_HIGH]}]},
        title="GuardDuty: high severity",
        text="GuardDuty found <type> (severity <level>), finding <finding>.",
        fields=_FINDING,
    ),
    _notice(
        "guardduty-medium",
        "warning",
        source="aws.guardduty",
        kinds=("GuardDuty Finding",),
        detail={"severity": [{"numeric": [">=", GUARDDUTY_MEDIUM, "<", GUARDDUTY_HIGH]}]},
        title="GuardDuty: medium severity",
        text="GuardDuty found <type> (severity <level>), finding <finding>.",
        fields=_FINDING,
    ),
    _notice(
        "trail-changed",
        "critical",
        source="aws.cloudtrail",
        kinds=("AWS API Call via CloudTrail",),
        detail={
            "eventSource": ["cloudtrail.amazonaws.com"],
            "eventName": ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"],
        },
        title="The audit trail was stopped or changed",
        text="<who> called <call> from <address>.",
        fields={
            "who": "$.detail.userIdentity.arn",
            "call": "$.detail.eventName",
            "address": "$.detail.sourceIPAddress",
        },
    ),
    _notice(
        "rotation-failed",
        "warning",
        source="aws.secretsmanager",
        kinds=("AWS Service Event via CloudTrail",),
        detail={"eventName": ["RotationFailed"]},
        title="A secret did not rotate",
        text="Rotation of <secret> failed.",
        fields={
            "secret": "$.detail.additionalEventData.SecretId",
        },
    ),
    _notice(
        "certificate-expiry",
        "warning",
        source="aws.acm",
        kinds=("ACM Certificate Approaching Expiration", "ACM Certificate Expired"),
        title="A certificate is about to end",
        text="<name> ends in <days> days: <certificate>",
        fields={
            "name": "$.detail.CommonName",
            "days": "$.detail.DaysToExpiry",
            "certificate": "$.resources[0]",
        },
    ),
    _notice(
        "aws-health",
        "warning",
        source="aws.health",
        kinds=("AWS Health Event",),
        detail={"eventTypeCategory": ["issue", "scheduledChange"]},
        title="AWS Health",
        text="<service>: <code> (<status>)",
        fields={
            "service": "$.detail.service",
            "code": "$.detail.eventTypeCode",
            "status": "$.detail.statusCode",
        },
    ),
)
NOTICES: MappingProxyType[str, Notice] = MappingProxyType({notice.name: notice for notice in _ALL})
