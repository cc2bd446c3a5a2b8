"""Topics and who hears them: e-mail, Slack, PagerDuty; and the dead letters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws
from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from blueprint.finance import TEAM_EMAIL
from blueprint.notices import HEARTBEAT_TOPIC, RECEIVERS, SEVERITIES, TOPICS_KEY_ALIAS, Severity, topic
from blueprint.secrets import SECRETS
from stacks.components.excuse import excuse
from stacks.components.statements import Statement, allow, deny, document
from stacks.settings import Settings

RULE_PREFIX = "pingvas-"
_PAGERDUTY = (
    "https://events.pagerduty.com/integration/{{{{resolve:secretsmanager:{secret}:SecretString:{key}}}}}/enqueue"
)
_PUBLISHERS: Mapping[Severity, Mapping[str, str]] = {
    "critical": {"cloudwatch.amazonaws.com": "cloudwatch:{region}:{account}:alarm:*"},
    "warning": {
        "cloudwatch.amazonaws.com": "cloudwatch:{region}:{account}:alarm:*",
        "budgets.amazonaws.com": "budgets::{account}:*",
        "costalerts.amazonaws.com": "ce::{account}:anomalysubscription/*",
    },
    "info": {},
}
"""AWS services that publish to a topic in their own name, and the ARNs of what they may speak for. EventBridge and the
functions publish with roles of their own: for EventBridge a key policy cannot be limited to an account."""
_CHAT_ACTIONS = [
    "cloudwatch:DescribeAlarmHistory",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:GetMetricStatistics",
    "cloudwatch:GetMetricWidgetImage",
    "cloudwatch:ListMetrics",
]


def trust(service: str, source: str) -> dict[str, Any]:
    """A role's trust in one service of AWS, acting for `source` (an ARN after `arn:aws:`) of this account."""
    return document(allow("sts:AssumeRole", None, _for_us(source), Principal={"Service": service}))


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who is there to hear: decides the form of a message and who is subscribed to what."""

    slack: bool
    pagerduty: bool

    def of(self, severity: Severity) -> tuple[str, ...]:
        """Receivers of a severity; e-mail stands in for those that are not set up.

        >>> Receivers(slack=False, pagerduty=True).of("critical")
        ('pagerduty', 'email')
        """
        there = {"slack": self.slack, "pagerduty": self.pagerduty, "email": True}
        wanted = RECEIVERS[severity]
        missing = ("email",) if not all(there[one] for one in wanted) else ()
        return (*(one for one in wanted if there[one]), *missing)


class Topics(Construct):
    """The topics `critical`, `warning` and `info` (`arns`), their key, their subscriptions and the dead letters;
    and `heartbeat`, which nobody hears: its messages are Prometheus' sign of life.

    The key is the platform's own: CloudWatch alarms cannot publish to a topic under `alias/aws/sns`.
    """

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(scope, id_)
        self.receivers = Receivers(slack=settings.slack_channel_id is not None, pagerduty=settings.pagerduty)
        self.key = self._key()
        self.topics: dict[Severity, sns.CfnTopic] = {
            one: sns.CfnTopic(
                self,
                one.title(),
                topic_name=topic(one),
                display_name=f"Pingvas {one}",
                kms_master_key_id=self.key,
            )
            for one in SEVERITIES
        }
        self.arns: dict[Severity, str] = {one: topic.ref for one, topic in self.topics.items()}
        self.heartbeat = sns.CfnTopic(
            self,
            "Heartbeat",
            topic_name=HEARTBEAT_TOPIC,
            display_name="Pingvas heartbeat",
            kms_master_key_id=self.key,
        )
        sns.CfnTopicPolicy(
            self,
            "HeartbeatPolicy",
            topics=[self.heartbeat.ref],
            policy_document=document(_tls_only("sns:Publish", self.heartbeat.ref)),
        )
        self.dead_letters = sqs.CfnQueue(
            self, "DeadLetters", sqs_managed_sse_enabled=True, message_retention_period=14 * 24 * 3600
        )
        excuse(self.dead_letters, "AwsSolutions-SQS3", "it is the dead-letter queue of the rules, functions and topics")
        excuse(
            self.dead_letters, "CKV_AWS_27", "it is encrypted, by SQS's own key, so that AWS's services can send to it"
        )
        self._queue_policy()
        for one in SEVERITIES:
            self._topic_policy(one)
            self._subscribe(one)
        if settings.slack_workspace_id and settings.slack_channel_id:
            self._slack(settings.slack_workspace_id, settings.slack_channel_id)

    def publishing(self, *severities: Severity) -> list[Statement]:
        """What a role needs to publish to these topics."""
        return [
            allow("sns:Publish", [self.arns[one] for one in severities]),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], self.key_arn),
        ]

    def _key(self) -> str:
        everybody = sorted({publisher for one in _PUBLISHERS.values() for publisher in one})
        ours = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        key = kms.CfnKey(
            self,
            "Key",
            description="Topics of alarms and notices",
            enable_key_rotation=True,
            pending_window_in_days=7,
            key_policy=document(
                allow(
                    "kms:*",
                    "*",
                    Sid="AccountDelegatesToIam",
                    Principal={"AWS": f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:root"},
                ),
                *(
                    allow(
                        ["kms:Decrypt", "kms:GenerateDataKey*"],
                        "*",
                        ours,
                        Sid=_sid(publisher),
                        Principal={"Service": publisher},
                    )
                    for publisher in everybody
                ),
            ),
        )
        kms.CfnAlias(self, "KeyAlias", alias_name=TOPICS_KEY_ALIAS, target_key_id=key.ref)
        self.key_arn = key.attr_arn
        return key.ref

    def _topic_policy(self, severity: Severity) -> None:
        topic = self.arns[severity]
        sns.CfnTopicPolicy(
            self,
            f"{severity.title()}Policy",
            topics=[topic],
            policy_document=document(
                _tls_only("sns:Publish", topic),
                *(
                    _service(publisher, "sns:Publish", topic, source)
                    for publisher, source in _PUBLISHERS[severity].items()
                ),
            ),
        )

    def _queue_policy(self) -> None:
        queue = self.dead_letters
        rules = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/{RULE_PREFIX}*"
        senders = {"events.amazonaws.com": [rules], "sns.amazonaws.com": list(self.arns.values())}
        sqs.CfnQueuePolicy(
            self,
            "DeadLettersPolicy",
            queues=[queue.ref],
            policy_document=document(
                _tls_only("sqs:*", queue.attr_arn),
                *(
                    allow(
                        "sqs:SendMessage",
                        queue.attr_arn,
                        {"ArnLike": {"aws:SourceArn": sources}},
                        Sid=_sid(service),
                        Principal={"Service": service},
                    )
                    for service, sources in senders.items()
                ),
            ),
        )

    def _subscribe(self, severity: Severity) -> None:
        receivers, topic = self.receivers.of(severity), self.arns[severity]
        if "email" in receivers:
            sns.CfnSubscription(
                self, f"{severity.title()}Email", topic_arn=topic, protocol="email", endpoint=TEAM_EMAIL
            )
        if "pagerduty" in receivers:
            secret = SECRETS["pingvas/shared/pagerduty"]
            sns.CfnSubscription(
                self,
                f"{severity.title()}PagerDuty",
                topic_arn=topic,
                protocol="https",
                endpoint=_PAGERDUTY.format(secret=secret.path, key=secret.keys[0]),
                filter_policy={"NewStateValue": [{"exists": True}]},
                filter_policy_scope="MessageBody",
                redrive_policy={"deadLetterTargetArn": self.dead_letters.attr_arn},
            )

    def _slack(self, workspace: str, channel: str) -> None:
        allowed = iam.CfnManagedPolicy(
            self,
            "SlackMay",
            description="What the Slack channel may do in this account: look at alarms and their graphs",
            policy_document=document(allow(_CHAT_ACTIONS, "*", Sid="AlarmsAndMetricsHaveNoNarrowerResource")),
        )
        reason = "reading metrics has no resource level in IAM; the actions read alarms and metrics and nothing else"
        excuse(allowed, "AwsSolutions-IAM5[Resource::*]", reason)
        role = iam.CfnRole(
            self,
            "SlackRole",
            assume_role_policy_document=trust("chatbot.amazonaws.com", f"chatbot::{Aws.ACCOUNT_ID}:*"),
            managed_policy_arns=[allowed.ref],
        )
        chatbot.CfnSlackChannelConfiguration(
            self,
            "Slack",
            configuration_name="pingvas-alerts",
            slack_workspace_id=workspace,
            slack_channel_id=channel,
            iam_role_arn=role.attr_arn,
            guardrail_policies=[allowed.ref],
            sns_topic_arns=[self.arns[one] for one in SEVERITIES if "slack" in self.receivers.of(one)],
            logging_level="ERROR",
            user_role_required=False,
        )


def _for_us(source: str) -> Mapping[str, Mapping[str, Any]]:
    """A service may speak for this account's own resources only; `source` is an ARN after `arn:aws:`."""
    return {
        "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
        "ArnLike": {"aws:SourceArn": f"arn:{Aws.PARTITION}:{source}"},
    }


def _service(service: str, action: str, resource: str, source: str) -> Statement:
    ours = _for_us(source.format(region=Aws.REGION, account=Aws.ACCOUNT_ID))
    return allow(action, resource, ours, Sid=_sid(service), Principal={"Service": service})


def _sid(service: str) -> str:
    return service.removesuffix(".amazonaws.com").title()


def _tls_only(action: str, resource: str) -> Statement:
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    return deny(action, resource, insecure, Sid="TlsOnly", Principal={"AWS": "*"})
