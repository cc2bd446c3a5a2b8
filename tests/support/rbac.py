"""Kubernetes' own evaluation of RBAC, so that a test asks "may it?" (Kubernetes documentation, "Using RBAC
Authorization"): bindings of a subject, their roles, their rules. Rights only add up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.manifests import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """A user or a service account (`system:serviceaccount:<namespace>:<name>`) and its groups."""

    name: str = ""
    groups: Sequence[str] = ()


class Rights:
    """The roles and bindings of the manifests."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.roles = {(one.kind, one.namespace, one.name): one.body.get("rules", []) for one in objects if _role(one)}
        self.bindings = [one for one in objects if one.kind in ("RoleBinding", "ClusterRoleBinding")]

    def may(
        self, who: Who, verb: str, resource: str, *, group: str = "", namespace: str | None = None, name: str = ""
    ) -> bool:
        """Whether one request is allowed; without a namespace it is of the whole cluster."""
        return any(_covers(rule, verb, resource, group, name) for rule in self._rules(who, namespace))

    def rules(self, who: Who, namespace: str | None = None) -> list[Mapping[str, Any]]:
        """Every rule that holds for somebody there."""
        return list(self._rules(who, namespace))

    def _rules(self, who: Who, namespace: str | None) -> Iterator[Mapping[str, Any]]:
        for binding in self.bindings:
            if binding.kind == "RoleBinding" and (namespace is None or binding.namespace != namespace):
                continue
            if not any(_is(who, one, binding) for one in binding.body.get("subjects", [])):
                continue
            reference = binding.body["roleRef"]
            home = binding.namespace if reference["kind"] == "Role" else None
            yield from self.roles[reference["kind"], home, reference["name"]]


def _role(one: Object) -> bool:
    return one.kind in ("Role", "ClusterRole")


def _is(who: Who, subject: Mapping[str, str], binding: Object) -> bool:
    if subject["kind"] == "ServiceAccount":
        return who.name == f"system:serviceaccount:{subject.get('namespace', binding.namespace)}:{subject['name']}"
    return subject["name"] == who.name if subject["kind"] == "User" else subject["name"] in who.groups


def _covers(rule: Mapping[str, Any], verb: str, resource: str, group: str, name: str) -> bool:
    def among(field: str, value: str) -> bool:
        return value in rule.get(field, []) or "*" in rule.get(field, [])

    named = rule.get("resourceNames", [])
    return (
        among("verbs", verb)
        and among("resources", resource)
        and among("apiGroups", group)
        and (not named or name in named)
    )
