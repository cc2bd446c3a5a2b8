"""Rules that every pod keeps: a pod that keeps them all passes, and each broken one is told."""

from copy import deepcopy
from typing import Any

import pytest

from studio.cloud.manifests.hardening import judge

GOOD: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "user-service", "namespace": "dev"},
    "spec": {
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/name": "user-service"}},
            "spec": {
                "serviceAccountName": "user-service",
                "automountServiceAccountToken": False,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
                "containers": [
                    {
                        "name": "api",
                        "image": "registry/user-service:0123abc",
                        "securityContext": {
                            "readOnlyRootFilesystem": True,
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
                        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8001}},
                        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8001}},
                    }
                ],
            },
        }
    },
}


def broken(path: str, value: object) -> dict[str, Any]:
    """A copy in which the field at `path`, from the pod's spec on, has this value, or is missing for None."""
    body = deepcopy(GOOD)
    place: Any = body["spec"]["template"]["spec"]
    *steps, last = path.split("/")
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    if value is None:
        del place[last]
    else:
        place[int(last) if last.isdigit() else last] = value
    return body


def test_an_init_container_that_ends_has_no_probes_and_a_sidecar_has() -> None:
    """The API server refuses probes of the first; the second serves like any container."""
    container = GOOD["spec"]["template"]["spec"]["containers"][0]
    ends = {key: value for key, value in container.items() if not key.endswith("Probe")}
    assert judge([broken("initContainers", [ends])]) == []
    rules = [str(one) for one in judge([broken("initContainers", [{**ends, "restartPolicy": "Always"}])])]
    assert len(rules) == 2 and all("probes" in rule for rule in rules)


def test_a_pod_that_keeps_the_rules_passes() -> None:
    assert judge([GOOD, {"kind": "Service", "metadata": {"name": "x"}, "spec": {}}]) == []


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("serviceAccountName", None, "service-account"),
        ("automountServiceAccountToken", True, "token"),
        ("hostNetwork", True, "host"),
        ("volumes/0", {"name": "tmp", "hostPath": {"path": "/"}}, "host-path"),
        ("volumes/0/emptyDir", {}, "empty-dir"),
        ("securityContext/seccompProfile", None, "seccomp"),
        ("securityContext/runAsNonRoot", None, "non-root"),
        ("securityContext/runAsUser", 0, "non-root"),
        ("containers/0/securityContext/readOnlyRootFilesystem", None, "read-only-root"),
        ("containers/0/securityContext/privileged", True, "privilege"),
        ("containers/0/securityContext/capabilities/add", ["NET_RAW"], "capabilities"),
        ("containers/0/resources/requests/cpu", None, "resources"),
        ("containers/0/resources/limits", None, "resources"),
        ("containers/0/livenessProbe", None, "probes"),
        ("containers/0/image", "registry/user-service:latest", "image"),
    ],
)
def test_each_broken_rule_is_told(path: str, value: object, rule: str) -> None:
    found = judge([broken(path, value)])
    assert [one.message.partition(":")[0] for one in found] == [rule]


def test_a_waiver_excuses_one_rule_of_one_object() -> None:
    waived = {("Deployment user-service", "host"): "for the test"}
    assert judge([broken("hostPID", True)], waived) == []
    assert judge([broken("automountServiceAccountToken", True)], waived)
