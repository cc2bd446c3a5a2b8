"""Log groups: encrypted, kept as long as the blueprint says; and the key that CloudWatch Logs may use for them."""

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.components.policies import Here


def log_group(
    scope: Construct,
    name: str,
    *,
    log_group_name: str | None,
    days: int,
    key: kms.IKey,
    removal: RemovalPolicy,
) -> logs.LogGroup:
    """An encrypted log group, kept for `days`, a number that CloudWatch Logs knows (1, 3, 5, 7, 14, 30, 60, 90 ...).

    What `removal` keeps is not kept after a failed first deployment, whose repetition could not make its name again.
    """
    kept = removal is RemovalPolicy.RETAIN
    return logs.LogGroup(
        scope,
        name,
        log_group_name=log_group_name,
        retention=_days(days),
        encryption_key=key,
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if kept else removal,
    )


def _days(days: int) -> logs.RetentionDays:
    """CDK's word for a number of days: LogGroup takes the word, CloudFormation the number."""
    words = {
        1: "ONE_DAY", 3: "THREE_DAYS", 5: "FIVE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS", 30: "ONE_MONTH",
        60: "TWO_MONTHS", 90: "THREE_MONTHS", 120: "FOUR_MONTHS", 150: "FIVE_MONTHS", 180: "SIX_MONTHS",
        365: "ONE_YEAR", 400: "THIRTEEN_MONTHS", 545: "EIGHTEEN_MONTHS", 731: "TWO_YEARS",
    }  # fmt: skip
    if days not in words:
        raise ValueError(f"CloudWatch Logs keeps nothing for {days} days, but for one of {', '.join(map(str, words))}")
    return logs.RetentionDays[words[days]]


def logs_key_policy(scope: Construct) -> dict[str, Any]:
    """IAM of this account decides, and CloudWatch Logs uses the key for log groups of this account and region alone."""
    here = Here.of(scope)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "IamDecides",
                "Effect": "Allow",
                "Principal": {"AWS": here.arn("iam", "root", region="")},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "LogGroupsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{here.region}.amazonaws.com"},
                "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                "Resource": "*",
                "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": here.arn("logs", "log-group:*")}},
            },
        ],
    }
