"""IAM roles in one call to AWS CDK each, and every wildcard with its reason beside it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.components.excuse import excuse_all
from stacks.components.statements import document

_SEEN: "WeakKeyDictionary[Construct, Here]" = WeakKeyDictionary()
"""Asking CDK costs four calls into another process, and a scope stands where it stands."""
_TOKEN = re.compile(r"\$\{Token\[.*?\]\}")


@dataclass(frozen=True, slots=True)
class Here:
    """Where a stack stands, for ARNs of what has a fixed name."""

    partition: str
    region: str
    account: str

    @classmethod
    def of(cls, scope: Construct) -> "Here":
        if scope not in _SEEN:
            stack = Stack.of(scope)
            _SEEN[scope] = cls(stack.partition, stack.region, stack.account)
        return _SEEN[scope]

    def arn(self, service: str, resource: str, *, region: str | None = None, account: str | None = None) -> str:
        """An ARN here; `region=""` for global services, `account=""` for what AWS owns."""
        region = self.region if region is None else region
        account = self.account if account is None else account
        return f"arn:{self.partition}:{service}:{region}:{account}:{resource}"

    def managed(self, policy: str) -> str:
        """One of AWS's managed policies."""
        return self.arn("iam", f"policy/{policy}", region="", account="aws")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """A statement. `because` says why a wildcard in `resources` cannot be narrower.

    Raises:
        ValueError: a resource has a wildcard and nobody says why.
    """

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    because: str = ""

    def __post_init__(self) -> None:
        if self.wildcards and not self.because:
            raise ValueError(f"{self.sid}: {self.wildcards} without a reason")

    @property
    def wildcards(self) -> list[str]:
        return [one for one in self.resources if "*" in _TOKEN.sub("", one)]

    def document(self) -> dict[str, Any]:
        statement = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        return statement | ({"Condition": dict(self.conditions)} if self.conditions else {})


def role(
    scope: Construct,
    id: str,  # noqa: A002 (CDK's own word)
    *,
    name: str,
    description: str,
    trust: Mapping[str, Any],
    allows: Sequence[Allow] = (),
    managed: Mapping[str, str] | None = None,
) -> iam.CfnRole:
    """A role of a fixed name. `managed` are AWS's managed policies, each with the reason for taking it."""
    here = Here.of(scope)
    made = iam.CfnRole(
        scope,
        id,
        role_name=name,
        description=description,
        assume_role_policy_document=document(trust),
        managed_policy_arns=[here.managed(one) for one in managed or {}] or None,
        policies=[
            {"policyName": "least", "policyDocument": document(*(one.document() for one in allows))},
        ]
        if allows
        else None,
    )
    because: dict[str, dict[str, None]] = {}
    for allow in allows:
        for wildcard in allow.wildcards:
            because.setdefault(wildcard, {})[allow.because] = None
    # cdk-nag writes the account, the one token that may stand beside a wildcard, as CloudFormation names it.
    excuse_all(
        made,
        {f"AwsSolutions-IAM4[Policy::{here.managed(policy)}]": reason for policy, reason in (managed or {}).items()}
        | {
            f"AwsSolutions-IAM5[Resource::{_TOKEN.sub('<AWS::AccountId>', wildcard)}]": "; ".join(why)
            for wildcard, why in because.items()
        },
    )
    return made


def service_trust(service: str, **conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The trust of a role that a service of AWS assumes."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return statement | ({"Condition": conditions} if conditions else {})
