"""The Web ACL of both distributions, with its log."""

from typing import Any

from aws_cdk import ArnFormat
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from blueprint.edge import UPLOAD_PATHS, WAF, WEBHOOK_PATHS, ManagedGroup
from stacks.components.stack import PlatformStack

_AS_IT_COMES = [{"priority": 0, "type": "NONE"}]
"""No transformation: an exemption holds for the path as it is written, and for no way of disguising another."""


class WebAcl(Construct):
    """`acl`: what the rules do not block is allowed; the order is `blueprint.edge.WAF.order`.

    The rules of AWS's groups that read bodies only count and leave a label; the last rule blocks what bears one, unless
    its path takes uploads. The payment provider's webhook is asked neither for its country nor for its pace.
    """

    def __init__(self, stack: PlatformStack, construct_id: str) -> None:
        super().__init__(stack, construct_id)
        settings = stack.settings
        rules = {group.name: _managed(group) for group in WAF.groups}
        rules["rate"] = _rate()
        rules["bodies"] = _bodies()
        if settings.geo_blocked_countries:
            rules["geography"] = _geography(settings.geo_blocked_countries)
        self.acl = wafv2.CfnWebACL(
            self,
            "Acl",
            name=WAF.name,
            scope="CLOUDFRONT",
            default_action={"allow": {}},
            visibility_config=_visibility(WAF.name),
            rules=[
                {"name": name, "priority": WAF.priority(name), "visibilityConfig": _visibility(name)} | rules[name]
                for name in WAF.order
                if name in rules
            ],
        )
        self._log(stack)

    def _log(self, stack: PlatformStack) -> None:
        arn = stack.format_arn(
            service="logs", resource="log-group", resource_name=WAF.log_group, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        key = kms.Key(
            self,
            "Key",
            description="Log of the Web ACL",
            enable_key_rotation=True,
            removal_policy=stack.removal,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="CloudWatchLogs",
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                resources=["*"],
                conditions={"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arn}},
            )
        )
        group = logs.CfnLogGroup(
            self, "Log", log_group_name=WAF.log_group, retention_in_days=WAF.log_days, kms_key_id=key.key_arn
        )
        policy = logs.CfnResourcePolicy(
            self,
            "LogPolicy",
            policy_name=WAF.log_group,
            policy_document=stack.to_json_string(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "WafWritesItsLog",
                            "Effect": "Allow",
                            "Principal": {"Service": "delivery.logs.amazonaws.com"},
                            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                            "Resource": f"{arn}:*",
                            "Condition": {
                                "StringEquals": {"aws:SourceAccount": stack.account},
                                "ArnLike": {"aws:SourceArn": stack.format_arn(service="logs", resource="*")},
                            },
                        }
                    ],
                }
            ),
        )
        logging = wafv2.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self.acl.attr_arn,
            log_destination_configs=[arn],
            redacted_fields=[
                wafv2.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": name})
                for name in WAF.redacted_headers
            ],
        )
        logging.add_resource_dependency(group)
        logging.add_resource_dependency(policy)


def _visibility(name: str) -> dict[str, Any]:
    return {"cloudWatchMetricsEnabled": True, "sampledRequestsEnabled": True, "metricName": f"pingvas-{name}"}


def _path(path: str, match: str) -> dict[str, Any]:
    return {
        "byteMatchStatement": {
            "fieldToMatch": {"uriPath": {}},
            "positionalConstraint": match,
            "searchString": path,
            "textTransformations": _AS_IT_COMES,
        }
    }


def _any(statements: list[dict[str, Any]]) -> dict[str, Any]:
    """WAF refuses an `or` of one."""
    return statements[0] if len(statements) == 1 else {"orStatement": {"statements": statements}}


def _but_webhooks() -> dict[str, Any]:
    paths = [_path(path, "EXACTLY") for paths in WEBHOOK_PATHS.values() for path in paths]
    return {"notStatement": {"statement": _any(paths)}}


def _geography(countries: tuple[str, ...]) -> dict[str, Any]:
    blocked = {"geoMatchStatement": {"countryCodes": list(countries)}}
    return {"statement": {"andStatement": {"statements": [blocked, _but_webhooks()]}}, "action": {"block": {}}}


def _rate() -> dict[str, Any]:
    return {
        "statement": {
            "rateBasedStatement": {
                "limit": WAF.rate_limit,
                "evaluationWindowSec": WAF.rate_window,
                "aggregateKeyType": "IP",
                "scopeDownStatement": _but_webhooks(),
            }
        },
        "action": {"block": {"customResponse": {"responseCode": 429}}},
    }


def _managed(group: ManagedGroup) -> dict[str, Any]:
    statement: dict[str, Any] = {"vendorName": "AWS", "name": group.name}
    if group.bodies:
        statement["ruleActionOverrides"] = [{"name": rule, "actionToUse": {"count": {}}} for rule in group.body_rules]
    return {"statement": {"managedRuleGroupStatement": statement}, "overrideAction": {"none": {}}}


def _bodies() -> dict[str, Any]:
    labels = [
        {"labelMatchStatement": {"scope": "LABEL", "key": label}} for group in WAF.groups for label in group.body_labels
    ]
    uploads = [
        _path(f"{path}{end}", match) for path in UPLOAD_PATHS for end, match in (("", "EXACTLY"), ("/", "STARTS_WITH"))
    ]
    return {
        "statement": {"andStatement": {"statements": [_any(labels), {"notStatement": {"statement": _any(uploads)}}]}},
        "action": {"block": {}},
    }
