"""Policy statements as the plain JSON that they are: one call hands a whole policy to CDK."""

from collections.abc import Mapping, Sequence
from typing import Any

Statement = dict[str, Any]
Condition = Mapping[str, Mapping[str, Any]]


def allow(
    actions: str | Sequence[str], resources: str | Sequence[str] | None, condition: Condition | None = None, **more: Any
) -> Statement:
    """A statement that allows; `resources` is None in a role's trust, `more` is Sid or Principal."""
    return _statement("Allow", actions, resources, condition, more)


def deny(
    actions: str | Sequence[str], resources: str | Sequence[str] | None, condition: Condition | None = None, **more: Any
) -> Statement:
    return _statement("Deny", actions, resources, condition, more)


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(
    effect: str,
    actions: str | Sequence[str],
    resources: str | Sequence[str] | None,
    condition: Condition | None,
    more: Mapping[str, Any],
) -> Statement:
    statement: Statement = {**more, "Effect": effect, "Action": _plain(actions)}
    if resources is not None:
        statement["Resource"] = _plain(resources)
    if condition:
        statement["Condition"] = {operator: dict(keys) for operator, keys in condition.items()}
    return statement


def _plain(values: str | Sequence[str]) -> str | list[str]:
    return values if isinstance(values, str) else list(values)
