"""Questions to the data stack's template, and what its references across stacks mean."""

from collections.abc import Sequence
from typing import Any

from tests.support.policies import Policies
from tests.support.templates import Resource, Templates


def one(templates: Templates, kind: str, **properties: Any) -> Resource:
    return templates.one(kind, stack="Data", **properties)


def named(policies: Policies, value: Any) -> Any:
    """What a property refers to, across stacks."""
    return policies.resolve(value, "Data")


def ids(policies: Policies, kind: str, paths: Sequence[str]) -> list[str]:
    """What references to the Network stack's resources of these paths give."""
    found = {resource.path: resource for resource in policies.templates.resources(kind, stack="Network")}
    return [policies.reference(found[path]) for path in paths]


def tier(policies: Policies, name: str) -> list[str]:
    return ids(policies, "AWS::EC2::Subnet", [f"Network/Vpc/{name}Subnet{zone}/Subnet" for zone in (1, 2, 3)])


def group(policies: Policies, name: str) -> list[str]:
    """What GetAtt GroupId of a security group gives."""
    resource = next(
        found
        for found in policies.templates.resources("AWS::EC2::SecurityGroup", stack="Network")
        if found.path == f"Network/{name}/Resource"
    )
    return [policies.resolve({"Fn::GetAtt": [resource.id, "GroupId"]}, "Network")]


def key(policies: Policies, name: str, *, stack: str = "Security") -> str:
    found = next(
        resource
        for resource in policies.templates.resources("AWS::KMS::Key", stack=stack)
        if resource.path == f"{stack}/{name}/Resource"
    )
    return policies.arn(found)
