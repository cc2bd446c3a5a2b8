"""Topics: who may use them, and who hears them."""

import json
import re
from typing import Any

import pytest

from tests.support.iam import Request, allowed
from tests.support.observability import SEVERITIES, SLACK, STACK, role_of, topic
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Templates, synthesize


def service(name: str, action: str, resource: str, source: str, account: str = ACCOUNT) -> Request:
    context = {"aws:SourceAccount": account, "aws:SourceArn": source, "aws:SecureTransport": "true"}
    return Request(action=action, resource=resource, principal=f"{name}.amazonaws.com", context=context)


SOURCES = {
    "cloudwatch": "arn:aws:cloudwatch:{region}:{account}:alarm:pingvas-aurora-cpu-writer",
    "budgets": "arn:aws:budgets::{account}:budget/pingvas-studio",
    "costalerts": "arn:aws:ce::{account}:anomalysubscription/0a1b",
    "events": "arn:aws:events:{region}:{account}:rule/pingvas-guardduty-high",
    "s3": "arn:aws:s3:::anybody",
}
PUBLISHERS = {"critical": {"cloudwatch"}, "warning": {"cloudwatch", "budgets", "costalerts"}, "info": set()}


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("publisher", SOURCES)
def test_a_topic_takes_messages_of_its_publishers_and_of_this_account(
    templates: Templates, policies: Policies, region: str, severity: str, publisher: str
) -> None:
    made = topic(templates, severity)
    own, other = (SOURCES[publisher].format(region=region, account=one) for one in (ACCOUNT, OTHER_ACCOUNT))
    arn, documents = policies.arn(made), policies.of(made)
    assert documents

    def may(request: Request) -> bool:
        return allowed(request, resource=documents, owner=ACCOUNT)

    assert may(service(publisher, "sns:Publish", arn, own)) is (publisher in PUBLISHERS[severity])
    assert not may(service(publisher, "sns:Publish", arn, other, OTHER_ACCOUNT))
    assert not may(service(publisher, "sns:Subscribe", arn, own))


def test_nobody_publishes_without_tls_and_no_stranger_at_all(templates: Templates, policies: Policies) -> None:
    for severity in SEVERITIES:
        made = topic(templates, severity)
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        for secure in ("true", "false"):
            request = Request(
                action="sns:Publish",
                resource=policies.arn(made),
                principal=f"arn:aws:iam::{ACCOUNT}:role/any",
                context={"aws:SecureTransport": secure},
            )
            assert allowed(request, identity=[everything], resource=policies.of(made)) is (secure == "true")
            stranger = Request(
                action="sns:Publish",
                resource=policies.arn(made),
                principal=f"arn:aws:iam::{OTHER_ACCOUNT}:role/any",
                context={"aws:SecureTransport": secure},
            )
            assert not allowed(stranger, identity=[everything], resource=policies.of(made), owner=ACCOUNT)


def test_topics_are_under_a_key_that_alarms_can_use(templates: Templates, policies: Policies, region: str) -> None:
    key = templates.one("AWS::KMS::Key", stack=STACK)
    assert key.properties["EnableKeyRotation"] is True
    for severity in SEVERITIES:
        assert topic(templates, severity).properties["KmsMasterKeyId"] == {"Ref": key.id}
    for publisher, source in SOURCES.items():
        for account in (ACCOUNT, OTHER_ACCOUNT):
            arn = source.format(region=region, account=account)
            for action in ("kms:GenerateDataKey", "kms:Decrypt"):
                request = service(publisher, action, policies.arn(key), arn, account)
                may = allowed(request, resource=policies.of(key), owner=ACCOUNT, governed=True)
                assert may is (account == ACCOUNT and publisher in ("cloudwatch", "budgets", "costalerts")), publisher


@pytest.mark.parametrize(
    ("path", "may_publish"),
    [
        ("Notices/Role", {"critical", "warning", "info"}),
        ("CostReport/Function/Role", {"info"}),
        ("SpotNotice/Function/Role", {"critical"}),
        ("CostReport/ScheduleRole", set()),
    ],
)
def test_roles_publish_where_they_have_to(
    templates: Templates, policies: Policies, path: str, may_publish: set[str]
) -> None:
    role = role_of(templates, path)
    identity = policies.identity(role)
    key = policies.arn(templates.one("AWS::KMS::Key", stack=STACK))

    def may(action: str, resource: str) -> bool:
        request = Request(action=action, resource=resource, principal=policies.arn(role))
        return allowed(request, identity=identity)

    for severity in SEVERITIES:
        arn = policies.arn(topic(templates, severity))
        assert may("sns:Publish", arn) is (severity in may_publish)
        for action in ("sns:Subscribe", "sns:SetTopicAttributes", "sns:DeleteTopic"):
            assert not may(action, arn)
    assert may("kms:GenerateDataKey", key) is bool(may_publish)
    assert not may("kms:ScheduleKeyDeletion", key)
    assert not may("secretsmanager:GetSecretValue", "*")
    assert may("ce:GetCostAndUsage", "*") is (path == "CostReport/Function/Role")
    assert not may("ce:CreateAnomalyMonitor", "*")
    assert may("ec2:DescribeInstances", "*") is (path == "SpotNotice/Function/Role")
    assert not may("ec2:TerminateInstances", "*")


@pytest.mark.parametrize(
    ("path", "principal", "ours", "other"),
    [
        ("Notices/Role", "events", "rule/pingvas-aws-health", "rule/somebodys"),
        ("CostReport/ScheduleRole", "scheduler", "schedule-group/default", "schedule-group/another"),
    ],
)
def test_services_take_the_roles_for_our_own_things_only(
    templates: Templates, policies: Policies, region: str, path: str, principal: str, ours: str, other: str
) -> None:
    role = role_of(templates, path)

    def may(part: str, account: str) -> bool:
        arn = f"arn:aws:{principal}:{region}:{account}:{part}"
        request = service(principal, "sts:AssumeRole", policies.arn(role), arn, account)
        return allowed(request, resource=[policies.trust(role)], owner=ACCOUNT, governed=True)

    assert may(ours, ACCOUNT)
    assert not may(other, ACCOUNT)
    assert not may(ours, OTHER_ACCOUNT)


def subscriptions(templates: Templates) -> dict[str, set[str]]:
    """Protocols by severity; Slack's own subscription is made by AWS."""
    policies = Policies(templates, region="us-east-1")
    found: dict[str, set[str]] = {severity: set() for severity in SEVERITIES}
    for one in templates.resources("AWS::SNS::Subscription"):
        arn = str(policies.resolve(one.properties["TopicArn"], one.stack))
        found[arn.rsplit("-", 1)[1]].add(one.properties["Protocol"])
        if one.properties["Protocol"] == "email":
            assert one.properties["Endpoint"] == "team@pingvas.studio"
    for one in templates.resources("AWS::Chatbot::SlackChannelConfiguration"):
        for reference in one.properties["SnsTopicArns"]:
            found[str(policies.resolve(reference, one.stack)).rsplit("-", 1)[1]].add("slack")
    return found


@pytest.mark.parametrize(
    ("settings", "critical", "warning"),
    [
        ({}, {"email"}, {"email"}),
        (SLACK, {"slack", "email"}, {"slack"}),
        ({"pagerduty": True}, {"https", "email"}, {"email"}),
        ({**SLACK, "pagerduty": True}, {"https", "slack"}, {"slack"}),
    ],
)
def test_no_alarm_goes_unheard(settings: dict[str, Any], critical: set[str], warning: set[str]) -> None:
    made = subscriptions(synthesize(region="us-east-1", **settings))
    assert made == {"critical": critical, "warning": warning, "info": {"email"}}


def test_the_slack_channel_may_look_at_alarms_and_nothing_else() -> None:
    templates = synthesize(region="us-east-1", **SLACK)
    policies = Policies(templates, region="us-east-1")
    channel = templates.one("AWS::Chatbot::SlackChannelConfiguration").properties
    assert (channel["SlackWorkspaceId"], channel["SlackChannelId"]) == ("T0123ABCD", "C0123ABCD")
    role = role_of(templates, "Topics/SlackRole")
    guard = templates.one("AWS::IAM::ManagedPolicy", stack=STACK)
    # without guardrails of its own a channel has AdministratorAccess as its guardrail
    assert [policies.resolve(one, STACK) for one in channel["GuardrailPolicies"]] == [policies.arn(guard)]
    for action, may in {
        "cloudwatch:DescribeAlarms": True,
        "cloudwatch:GetMetricWidgetImage": True,
        "cloudwatch:DeleteAlarms": False,
        "cloudwatch:PutMetricAlarm": False,
        "ec2:DescribeInstances": False,
        "logs:GetLogEvents": False,
        "secretsmanager:GetSecretValue": False,
    }.items():
        request = Request(action=action, principal=policies.arn(role))
        assert allowed(request, identity=policies.identity(role)) is may, action


def test_pagerdutys_key_is_a_reference_and_gets_alarms_only() -> None:
    templates = synthesize(region="us-east-1", pagerduty=True)
    made = templates.one("AWS::SNS::Subscription", Protocol="https").properties
    reference = "{{resolve:secretsmanager:pingvas/shared/pagerduty:SecretString:integration_key}}"
    assert made["Endpoint"] == f"https://events.pagerduty.com/integration/{reference}/enqueue"
    assert templates.one("AWS::SecretsManager::Secret", Name="pingvas/shared/pagerduty")
    assert (made["FilterPolicyScope"], made["FilterPolicy"]) == ("MessageBody", {"NewStateValue": [{"exists": True}]})
    assert "deadLetterTargetArn" in made["RedrivePolicy"]


def test_templates_hold_no_key_of_pagerduty_or_slack() -> None:
    for settings in ({}, {**SLACK, "pagerduty": True}):
        text = json.dumps(synthesize(region="us-east-1", **settings)[STACK])
        assert not re.search(r"integration/[0-9a-zA-Z]{8,}|hooks\.slack\.com|xox[a-z]-", text)


def test_what_cannot_be_delivered_is_kept(templates: Templates, policies: Policies, region: str) -> None:
    queue = templates.one("AWS::SQS::Queue", stack=STACK)
    assert queue.properties["SqsManagedSseEnabled"] is True
    assert queue.properties["MessageRetentionPeriod"] == 1_209_600
    arn = policies.arn(queue)
    for rule in templates.resources("AWS::Events::Rule", stack=STACK):
        for target in rule.properties["Targets"]:
            assert policies.resolve(target["DeadLetterConfig"]["Arn"], STACK) == arn
        name = rule.properties["Name"]
        source = f"arn:aws:events:{region}:{ACCOUNT}:rule/{name}"
        assert allowed(service("events", "sqs:SendMessage", arn, source), resource=policies.of(queue), owner=ACCOUNT)
    other = f"arn:aws:events:{region}:{OTHER_ACCOUNT}:rule/pingvas-x"
    assert not allowed(
        service("events", "sqs:SendMessage", arn, other, OTHER_ACCOUNT), resource=policies.of(queue), owner=ACCOUNT
    )
    assert not allowed(service("events", "sqs:ReceiveMessage", arn, source), resource=policies.of(queue), owner=ACCOUNT)
