"""Events of AWS that are told as they happen: a rule each, to the topic of its severity."""

import json

from aws_cdk import Aws
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from blueprint.notices import NOTICES, SEVERITIES, Notice
from stacks.components.notifications import RULE_PREFIX, Topics, trust
from stacks.components.statements import document


class Notices(Construct):
    """A rule a notice of `blueprint.alarms`, each to the topic of its severity."""

    def __init__(self, scope: Construct, id_: str, *, topics: Topics, runbook: str) -> None:
        super().__init__(scope, id_)
        role = iam.CfnRole(
            self,
            "Role",
            assume_role_policy_document=trust(
                "events.amazonaws.com", f"events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/{RULE_PREFIX}*"
            ),
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="Publish", policy_document=document(*topics.publishing(*SEVERITIES))
                )
            ],
        )
        for notice in NOTICES.values():
            # Slack shows nothing but its own format and AWS's own events; a mailbox wants text
            chat = "slack" in topics.receivers.of(notice.severity)
            events.CfnRule(
                self,
                notice.name,
                name=f"{RULE_PREFIX}{notice.name}",
                description=notice.title,
                event_pattern=dict(notice.pattern),
                targets=[
                    target(
                        topics.arns[notice.severity],
                        topics,
                        role=role.attr_arn,
                        message=_message(notice, f"{runbook}#{notice.name}", chat=chat),
                    )
                ],
            )


def target(
    arn: str,
    topics: Topics,
    *,
    role: str | None = None,
    message: events.CfnRule.InputTransformerProperty | None = None,
) -> events.CfnRule.TargetProperty:
    """A rule's target. What cannot be delivered within an hour lies with the dead letters."""
    rule = events.CfnRule
    return rule.TargetProperty(
        id="Target",
        arn=arn,
        role_arn=role,
        dead_letter_config=rule.DeadLetterConfigProperty(arn=topics.dead_letters.attr_arn),
        retry_policy=rule.RetryPolicyProperty(maximum_event_age_in_seconds=3600, maximum_retry_attempts=10),
        input_transformer=message,
    )


def _message(notice: Notice, runbook: str, *, chat: bool) -> events.CfnRule.InputTransformerProperty:
    paths = {**notice.fields, "time": "$.time", "region": "$.region"}
    where = "<time>, <region>"
    if chat:
        content = {
            "textType": "client-markdown",
            "title": notice.title,
            "description": f"{notice.text}\n{where}",
            "nextSteps": [runbook],
            "keywords": [notice.severity],
        }
        template = json.dumps({"version": "1.0", "source": "custom", "content": content})
    else:
        template = "\n".join(json.dumps(line) for line in (notice.title, notice.text, where, runbook))
    return events.CfnRule.InputTransformerProperty(input_paths_map=paths, input_template=template)
