"""The judges that other tests ask: quotas, limits, roles and nodes by Kubernetes' own rules, each where it bites."""

from fractions import Fraction
from typing import Any

import pytest

from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps
from tests.support.manifests import Manifests, Object
from tests.support.nodes import Node
from tests.support.pod_security import refusals
from tests.support.quotas import Namespace, RefusedError, most_pods, quantity, total
from tests.support.rbac import Rights, Who


def container(name: str = "one", **resources: Any) -> dict[str, Any]:
    return {"name": name, "resources": resources}


class Given(Manifests):
    """Objects of a test."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.app = GitOps(placeholders())
        self.bodies = [Object("test", {"metadata": {"name": "one", "namespace": "here"}, **body}) for body in bodies]

    def all(self) -> Any:
        return iter(self.bodies)


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", Fraction(1, 4)), ("2", 2), (2, 2), ("1Ki", 1024), ("1k", 1000), ("1.5Gi", 3 * 2**29), ("1Mi", 2**20)],
)
def test_quantities_are_read_as_kubernetes_does(text: str | int, value: Fraction) -> None:
    assert quantity(text) == value


def test_init_containers_count_one_by_one_and_sidecars_beside_all() -> None:
    spec = {
        "initContainers": [
            container("first", requests={"cpu": "3"}),
            {**container("sidecar", requests={"cpu": "1"}), "restartPolicy": "Always"},
            container("second", requests={"cpu": "1"}),
        ],
        "containers": [container("a", requests={"cpu": "500m"}), container("b", requests={"cpu": "500m"})],
    }
    assert total(spec) == {"cpu": 3}
    spec["initContainers"][2]["resources"]["requests"]["cpu"] = "4"
    assert total(spec) == {"cpu": 5}
    spec["containers"][0]["resources"]["requests"]["cpu"] = "9"
    assert total(spec) == {"cpu": Fraction(21, 2)}


def test_a_maximum_without_a_default_becomes_everybodys_limit() -> None:
    limits = {"kind": "LimitRange", "spec": {"limits": [{"type": "Container", "max": {"cpu": "4"}}]}}
    admitted = Namespace(Given(limits), "here").admit({"spec": {"containers": [container()]}})
    assert admitted["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "4"}


def test_an_own_limit_is_the_request_of_who_names_none_and_a_request_above_it_is_refused() -> None:
    item = {"type": "Container", "default": {"memory": "1Gi"}, "defaultRequest": {"memory": "2Gi"}}
    namespace = Namespace(Given({"kind": "LimitRange", "spec": {"limits": [item]}}), "here")
    admitted = namespace.admit({"spec": {"containers": [container(limits={"memory": "3Gi"})]}})
    assert admitted["spec"]["containers"][0]["resources"]["requests"] == {"memory": "3Gi"}
    with pytest.raises(RefusedError, match="more memory than its limit"):
        namespace.admit({"spec": {"containers": [container()]}})


def test_a_quota_of_cpu_refuses_who_names_none_and_counts_what_it_admitted() -> None:
    namespace = Namespace(Given({"kind": "ResourceQuota", "spec": {"hard": {"requests.cpu": "1"}}}), "here")
    with pytest.raises(RefusedError, match=r"asks for no requests\.cpu"):
        namespace.admit({"spec": {"containers": [container()]}})
    namespace.admit({"spec": {"containers": [container(requests={"cpu": "600m"})]}})
    with pytest.raises(RefusedError, match="used up"):
        namespace.admit({"spec": {"containers": [container(requests={"cpu": "600m"})]}})


@pytest.mark.parametrize(("surge", "most"), [("25%", 13), (0, 10), (2, 12), ("0%", 10), ("100%", 20)])
def test_a_rollout_surges_by_per_cent_rounded_up_or_by_a_number(surge: str | int, most: int) -> None:
    deployment = {"kind": "Deployment", "spec": {"strategy": {"rollingUpdate": {"maxSurge": surge}}}}
    scaler = {"kind": "HorizontalPodAutoscaler", "spec": {"scaleTargetRef": {"name": "one"}, "maxReplicas": 10}}
    assert [count for _, count in most_pods(list(Given(deployment, scaler).all()))] == [most]


def test_a_role_holds_where_its_binding_stands_and_for_whom() -> None:
    role = {"kind": "ClusterRole", "metadata": {"name": "see"}}
    role["rules"] = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["mine"]}]  # type: ignore[assignment]
    binding = {
        "kind": "RoleBinding",
        "roleRef": {"kind": "ClusterRole", "name": "see"},
        "subjects": [{"kind": "ServiceAccount", "name": "me"}],
    }
    rights = Rights(list(Given(role, binding).all()))
    me = Who(name="system:serviceaccount:here:me")
    assert rights.may(me, "get", "pods", namespace="here", name="mine")
    assert not rights.may(me, "get", "pods", namespace="here", name="other")
    assert not rights.may(me, "get", "pods", namespace="there", name="mine")
    assert not rights.may(me, "get", "pods", name="mine")
    assert not rights.may(me, "delete", "pods", namespace="here", name="mine")
    assert not rights.may(me, "get", "pods", group="apps", namespace="here", name="mine")
    assert not rights.may(Who(name="system:serviceaccount:there:me"), "get", "pods", namespace="here", name="mine")


@pytest.mark.parametrize(
    ("toleration", "takes"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "value": "true"}, True),
        ({"key": "gpu", "value": "false"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_taint_keeps_off_who_does_not_tolerate_it(toleration: dict[str, str], takes: bool) -> None:
    node = Node({"a": "b"}, [{"key": "gpu", "value": "true", "effect": "NoSchedule"}])
    assert node.takes({"tolerations": [toleration]}) is takes
    assert not node.takes({"tolerations": [toleration], "nodeSelector": {"a": "c"}})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"hostPID": True}, "hostPID"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "hostPath v"),
        ({"volumes": [{"name": "v", "nfs": {"server": "x"}}]}, "volume v"),
        ({"securityContext": {}}, "one may be root"),
        ({"securityContext": {"runAsNonRoot": True}}, "one has no seccomp profile"),
    ],
)
def test_pod_security_tells_each_control_that_is_broken(change: dict[str, Any], told: str) -> None:
    good = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "one",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
    assert refusals("restricted", good) == []
    assert told in refusals("restricted", {**good, **change})
    assert refusals("privileged", {**good, **change}) == []


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"privileged": True}, "one is privileged"),
        ({"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}, "one adds capabilities"),
        ({"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}, "one keeps capabilities"),
        ({"capabilities": {}}, "one keeps capabilities"),
        ({"allowPrivilegeEscalation": True}, "one may escalate"),
        ({"runAsUser": 0}, "one is root"),
        ({"runAsNonRoot": False}, "one may be root"),
        ({"seccompProfile": {"type": "Unconfined"}}, "one has no seccomp"),
    ],
)
def test_a_containers_own_context_goes_before_its_pods(own: dict[str, Any], told: str) -> None:
    base = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    spec = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [{"name": "one", "securityContext": {**base, **own}}],
        "containers": [{"name": "two", "securityContext": base}],
    }
    assert told in refusals("restricted", spec)
