"""What the judges of manifests notice: each kind of mistake, once."""

from copy import deepcopy
from typing import Any

import pytest

from studio.cloud.manifests.validation import validate

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "user-service", "namespace": "dev"},
    "spec": {"selector": {"a": "b"}, "ports": [{"port": 8001}]},
}
POOL: dict[str, Any] = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "pool"},
    "spec": {
        "limits": {"cpu": 10},
        "template": {
            "metadata": {"labels": {"any": "label"}},
            "spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "c"},
                "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}],
            },
        },
    },
}
BINDING: dict[str, Any] = {
    "apiVersion": "elbv2.k8s.aws/v1beta1",
    "kind": "TargetGroupBinding",
    "metadata": {"name": "user-service"},
    "spec": {"serviceRef": {"name": "user-service", "port": 8001}, "targetGroupName": "dev-user", "targetType": "ip"},
}
APPLICATION: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "keda"},
    "spec": {
        "project": "p",
        "destination": {"server": "s"},
        "source": {"repoURL": "u", "helm": {"valuesObject": {"what": {"ever": [1]}}}},
    },
}


def test_what_is_right_passes() -> None:
    assert validate([SERVICE, POOL, BINDING, APPLICATION]) == []


@pytest.mark.parametrize(
    ("body", "path", "value", "said"),
    [
        (SERVICE, ("spec", "portz"), [], "portz"),
        (SERVICE, ("spec", "ports"), "8001", "/spec/ports"),
        (SERVICE, ("apiVersion",), "v9", "has no v9 Service"),
        (POOL, ("spec", "limitz"), {}, "/spec/limitz: unknown field"),
        (POOL, ("spec", "weight"), "heavy", "/spec/weight"),
        (POOL, ("spec", "template", "spec", "requirements", 0, "operator"), "Near", "/spec/template"),
        (POOL, ("spec", "template", "spec", "requirements", 0, "valuez"), [], "valuez: unknown field"),
        (POOL, ("kind",), "NodePond", "no model knows this kind"),
        (POOL, ("apiVersion",), "pond.example.com/v1", "no model knows this kind"),
        (BINDING, ("spec", "targetGroupARN"), "arn:x", "valid under each of"),
        (BINDING, ("spec", "targetType"), "pod", "/spec/targetType"),
        (BINDING, ("kind",), "IngressClassParams", "no schema knows this kind"),
        (APPLICATION, ("spec", "destination", "cluster"), "x", "/spec/destination/cluster: unknown field"),
    ],
)
def test_what_is_wrong_is_told(body: dict[str, Any], path: tuple[str | int, ...], value: object, said: str) -> None:
    broken = deepcopy(body)
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    found = validate([SERVICE, broken])
    assert any(said in str(one) for one in found), found
