"""AWS's published resource schemas, as cfn-lint bundles them by region: what properties and attributes a type has."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from cfnlint.context import Context  # type: ignore[import-untyped]
from cfnlint.jsonschema import StandardValidator  # type: ignore[import-untyped]
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError  # type: ignore[import-untyped]

Properties = Mapping[str, Any]
_PROPERTIES = "/properties/"
_DYNAMIC = "{{resolve:"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")


class UnknownTypeError(Exception):
    """No such resource type in the region."""


def custom(kind: str) -> bool:
    """Whether a type is a custom resource, whose properties and attributes only its own function knows."""
    return kind.startswith(CUSTOM)


def problems(kind: str, properties: Properties, region: str) -> list[str]:
    """What AWS would refuse about a resource's resolved properties: unknown, missing, of a wrong type, not in an enum.

    Raises:
        UnknownTypeError: CloudFormation has no such type in this region.

    >>> problems("AWS::EFS::FileSystem", {"PerformanceMode": "fast"}, "us-east-1")
    ["PerformanceMode: 'fast' is not one of ['generalPurpose', 'maxIO']"]
    """
    if custom(kind):
        return [] if properties.get("ServiceToken") else ["ServiceToken: required, the function that makes it"]
    schema = _schema(kind, region)
    validator = StandardValidator(schema.schema, resolver=schema.resolver, context=Context(regions=[region]))
    told = [_told(error) for error in validator.iter_errors(properties) if not _forgiven(error)]
    given = {f"{_PROPERTIES}{name}" for name in properties}
    own = set(schema.schema.get("readOnlyProperties", ()))
    told += [f"{one.removeprefix(_PROPERTIES)}: is read-only" for one in sorted(given & own)]
    return sorted(set(told))


def _told(error: Any) -> str:
    place = ".".join(str(part) for part in error.path)
    return f"{place}: {error.message}" if place else str(error.message)


def _forgiven(error: Any) -> bool:
    """CloudFormation turns "7" into 7 and true into "true"; a dynamic reference is resolved after validation."""
    value = error.instance
    if isinstance(value, str) and _DYNAMIC in value:
        return True
    if error.validator in ("oneOf", "anyOf"):
        return bool(error.context) and all(_forgiven(one) for one in error.context)
    if error.validator != "type":
        return False
    wanted = {error.validator_value} if isinstance(error.validator_value, str) else set(error.validator_value)
    if "string" in wanted and isinstance(value, bool | int | float):
        return True
    if "boolean" in wanted and value in ("true", "false"):
        return True
    return bool({"integer", "number"} & wanted) and isinstance(value, str) and bool(_NUMBER.fullmatch(value))


def has_attribute(kind: str, name: str, region: str) -> bool:
    """Whether `Fn::GetAtt` gives this attribute.

    >>> has_attribute("AWS::RDS::DBCluster", "Endpoint.Address", "us-east-1")
    True
    >>> has_attribute("AWS::RDS::DBCluster", "Endpoint.Host", "us-east-1")
    False
    """
    return custom(kind) or _schema(kind, region).get_atts.get(name) is not None


def attribute_schema(kind: str, name: str, region: str) -> Mapping[str, Any]:
    """The JSON schema of one attribute; empty where the type does not tell."""
    if custom(kind):
        return {}
    schema = _schema(kind, region)
    pointer = schema.get_atts.get(name)
    found: Any = {}
    if pointer:
        try:
            found = schema.resolver.resolve_cfn_pointer(pointer)
        except Exception:  # cfn-lint has no class of its own for a pointer that leads nowhere
            return {}
        while isinstance(found, dict) and "$ref" in found:
            _, found = schema.resolver.resolve(found["$ref"])
    return found if isinstance(found, dict) else {}


def identifier(kind: str, region: str) -> tuple[str, ...]:
    """The properties that make the physical id.

    >>> identifier("AWS::WAFv2::WebACL", "us-east-1")
    ('Name', 'Id', 'Scope')
    """
    if custom(kind):
        return ()
    return tuple(one.removeprefix(_PROPERTIES) for one in _schema(kind, region).schema.get("primaryIdentifier", ()))


def replacing(kind: str, old: Properties, new: Properties, region: str) -> list[str]:
    """Properties that differ and cannot be changed in place, so that AWS makes a new resource.

    >>> replacing("AWS::RDS::DBCluster", {"DatabaseName": "a"}, {"DatabaseName": "b"}, "us-east-1")
    ['DatabaseName']
    """
    if custom(kind):
        return []
    fixed = _schema(kind, region).schema.get("createOnlyProperties", ())
    paths = [one.removeprefix(_PROPERTIES).split("/") for one in fixed]
    return [".".join(path) for path in paths if "*" not in path and _at(old, path) != _at(new, path)]


def _at(properties: Any, path: list[str]) -> Any:
    for part in path:
        if not isinstance(properties, Mapping):
            return None
        properties = properties.get(part)
    return properties


@cache
def _schema(kind: str, region: str) -> Any:
    try:
        return PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind)
    except ResourceNotFoundError:
        raise UnknownTypeError(f"{kind} is no resource type of {region}") from None


def references(body: Any) -> Iterator[str]:
    """Names that a piece of a template refers to: Ref, Fn::GetAtt, Fn::Sub.

    >>> sorted(set(references({"A": {"Ref": "One"}, "B": {"Fn::Sub": "${Two.Arn}-${!Kept}"}})))
    ['One', 'Two']
    """
    if isinstance(body, Mapping):
        for key, value in body.items():
            if key == "Ref":
                yield str(value)
            elif key == "Fn::GetAtt":
                yield str(value[0] if isinstance(value, list) else value.split(".")[0])
            elif key == "Fn::Sub":
                text = value[0] if isinstance(value, list) else value
                yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text))
                yield from references(value[1:] if isinstance(value, list) else ())
            else:
                yield from references(value)
    elif isinstance(body, list | tuple):
        for one in body:
            yield from references(one)
