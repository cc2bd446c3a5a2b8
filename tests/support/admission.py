"""The API server's own judgement of a request by the ValidatingAdmissionPolicies of the manifests.

It follows the Kubernetes documentation, "Validating Admission Policy": constraints of policy and binding, then match
conditions, then validations with their variables, which are evaluated when an expression asks for them. Expressions run
in another implementation of CEL than Kubernetes'; an error counts as a refusal, as `failurePolicy: Fail` says.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Any

import celpy
import celpy.celtypes

from tests.support.manifests import Manifests, Object

_VARIABLE = "variables."
USER = {"username": "system:serviceaccount:kube-system:replicaset-controller", "groups": ["system:authenticated"]}


class Admission:
    """Policies, bindings and namespaces of one synthesis."""

    def __init__(self, manifests: Manifests) -> None:
        self.policies = {one.name: one.body for one in manifests.of("ValidatingAdmissionPolicy")}
        self.bindings = [one.body["spec"] for one in manifests.of("ValidatingAdmissionPolicyBinding")]
        self.labels = {
            one.name: one.body["metadata"]["labels"] | {"kubernetes.io/metadata.name": one.name}
            for one in manifests.of("Namespace")
        }

    def refusals(
        self,
        namespace: str,
        pod: Mapping[str, Any],
        *,
        before: Mapping[str, Any] | None = None,
        resource: str = "pods",
        user: Mapping[str, Any] = USER,
    ) -> list[str]:
        """What the API server says to who makes this pod, or changes it from `before`; nothing where it admits it."""
        operation = "CREATE" if before is None else "UPDATE"
        context = {
            "object": pod,
            "oldObject": before,
            "request": {"namespace": namespace, "operation": operation, "userInfo": user},
        }
        labels = self.labels.get(namespace, {"kubernetes.io/metadata.name": namespace})
        return [
            message
            for binding in self.bindings
            if "Deny" in binding["validationActions"]
            for message in _judge(self.policies[binding["policyName"]]["spec"], context, labels, operation, resource)
        ]


def _judge(
    spec: Mapping[str, Any], context: Mapping[str, Any], labels: Mapping[str, str], operation: str, resource: str
) -> Iterator[str]:
    constraints = spec["matchConstraints"]
    matched = any(
        operation in rule["operations"] and resource in rule["resources"] for rule in constraints["resourceRules"]
    )
    if not matched or not _selects(constraints["namespaceSelector"], labels):
        return
    assert spec["failurePolicy"] == "Fail"
    variables = {one["name"]: one["expression"] for one in spec.get("variables", [])}
    for condition in spec.get("matchConditions", []):
        found = _evaluate(condition["expression"], context, variables)
        if isinstance(found, celpy.CELEvalError):
            yield f"{condition['name']} cannot be judged"
        if not found:
            return
    for validation in spec["validations"]:
        if not _holds(validation["expression"], context, variables):
            yield validation["message"]


def _evaluate(expression: str, context: Mapping[str, Any], variables: Mapping[str, str]) -> object:
    used = {
        name: _evaluate(text, context, variables)
        for name, text in variables.items()
        if f"{_VARIABLE}{name}" in expression
    }
    activation = {name: celpy.json_to_cel(value) for name, value in context.items()}
    activation["variables"] = celpy.celtypes.MapType(
        {celpy.celtypes.StringType(name): value for name, value in used.items()}
    )
    try:
        return _program(expression).evaluate(activation)
    except celpy.CELEvalError as error:
        return error


def _holds(expression: str, context: Mapping[str, Any], variables: Mapping[str, str]) -> bool:
    result = _evaluate(expression, context, variables)
    return isinstance(result, celpy.celtypes.BoolType) and bool(result)


@cache
def _program(expression: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(expression))


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector of matchLabels and matchExpressions In."""
    expressions: Sequence[Mapping[str, Any]] = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in expressions)
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )


def pod_of(workload: Object) -> dict[str, Any]:
    """The pod that a controller makes of a workload's template."""
    template = deepcopy(workload.pod)
    assert template is not None, str(workload)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template.get("metadata", {}), "name": f"{workload.name}-abc"},
        "spec": template["spec"],
    }
