"""Excuses: a rule that one resource may break, with the reason, beside the resource."""

import re
from collections.abc import Mapping

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct

_CFN_LINT = re.compile(r"[EWI]\d{4}")
_SHORTEST_REASON = 20


def excuse(construct: IConstruct, rule: str, reason: str) -> None:
    """Lets one construct break a rule of cdk-nag (`AwsSolutions-IAM5`), checkov (`CKV_AWS_18`) or cfn-lint (`W3005`).

    cdk-nag reads it from the construct and below; the others from the metadata of its one CloudFormation resource.

    Raises:
        ValueError: the reason is too short to be one, or the rule is nobody's.
    """
    if rule.startswith("AwsSolutions-"):
        excuse_all(construct, {rule: reason})
        return
    _demand_reason(rule, reason)
    if rule.startswith("CKV"):
        resource = _resource(construct)
        skipped = (resource.get_metadata("checkov") or {}).get("skip", [])
        resource.add_metadata("checkov", {"skip": [*skipped, {"id": rule, "comment": reason}]})
    elif _CFN_LINT.fullmatch(rule):
        resource = _resource(construct)
        ignored = (resource.get_metadata("cfn-lint") or {}).get("config", {}).get("ignore_checks", [])
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": [*ignored, rule], "reason": reason}})
        # CDK's own validator has cfn-lint's rules under their numbers.
        Validations.of(construct).acknowledge(Acknowledgment(id=f"CloudFormation-Validate::{rule}", reason=reason))
    else:
        raise ValueError(f"{rule} is a rule of neither cdk-nag, checkov nor cfn-lint")


def excuse_all(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Several rules of cdk-nag at once, each with its reason: one call to CDK, where a role may need a dozen.

    Raises:
        ValueError: a reason is too short to be one.
    """
    for rule, reason in reasons.items():
        _demand_reason(rule, reason)
    if reasons:
        Validations.of(construct).acknowledge(
            *(Acknowledgment(id=f"AwsSolutions::{rule}", reason=reason) for rule, reason in reasons.items())
        )


def _demand_reason(rule: str, reason: str) -> None:
    if len(reason) < _SHORTEST_REASON:
        raise ValueError(f"{rule}: {reason!r} is no reason")


def _resource(construct: IConstruct) -> CfnResource:
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(resource, CfnResource):
        raise ValueError(f"{construct.node.path} is not one CloudFormation resource; excuse the one inside it")
    return resource
