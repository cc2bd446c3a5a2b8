"""What the API server refuses in dev and prod, asked of the policies themselves."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from blueprint.delivery import IMAGES
from k8s_charts import tree
from k8s_charts.facts import placeholders
from k8s_charts.main import build
from tests.support import pod_security
from tests.support.admission import Admission, pod_of
from tests.support.manifests import Manifests, Object
from tests.support.quotas import Namespace, most_pods

REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com/pingvas"
SHA = "0123456789abcdef0123456789abcdef01234567"
DIGEST = f"sha256:{SHA}{SHA[:24]}"
KEEP, COST = "karpenter.sh/do-not-disrupt", "controller.kubernetes.io/pod-deletion-cost"
WORKER = {
    "username": "system:serviceaccount:dev:gpu-worker",
    "groups": ["system:serviceaccounts", "system:authenticated"],
    "extra": {"authentication.kubernetes.io/pod-name": ["gpu-worker-abc"]},
}
PRIORITIES = {"dev": "dev-low", "prod": "prod-high", "bootstrap": ""}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """What synthesis gives where edge and caches are pods."""
    root = tmp_path_factory.mktemp("in-cluster")
    app = build(replace(placeholders(), edge_and_cache="in-cluster"))
    tree.write(root, app.files())
    return Manifests(app, root)


@pytest.fixture(scope="module")
def admission(manifests: Manifests) -> Admission:
    return Admission(manifests)


def pod(namespace: str = "dev", image: str = f"{REGISTRY}/user-service:{SHA}", **spec: Any) -> dict[str, Any]:
    priority = {"priorityClassName": PRIORITIES[namespace]} if PRIORITIES.get(namespace) else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gpu-worker-abc", "namespace": namespace, "labels": {"app.kubernetes.io/name": "one"}},
        "spec": {**priority, "containers": [{"name": "one", "image": image}], **spec},
    }


@pytest.mark.parametrize("namespace", PRIORITIES)
def test_a_pod_as_it_should_be_is_admitted(admission: Admission, namespace: str) -> None:
    assert admission.refusals(namespace, pod(namespace)) == []


def test_every_policy_is_bound_and_what_cannot_be_judged_is_refused(admission: Admission) -> None:
    assert {one["policyName"] for one in admission.bindings} == set(admission.policies)
    for one in admission.bindings:
        assert one["validationActions"] == ["Deny", "Audit"]
    for name, body in admission.policies.items():
        assert body["spec"]["failurePolicy"] == "Fail", name
    assert admission.refusals("dev", {"metadata": {}}), "a pod without a specification cannot be judged"


@pytest.mark.parametrize(
    ("namespace", "priority"),
    [("dev", "prod-high"), ("prod", "dev-low"), ("dev", None), ("prod", None), ("prod", "system-node-critical")],
)
def test_a_pod_names_its_environments_own_class(admission: Admission, namespace: str, priority: str | None) -> None:
    wrong = pod(namespace)
    wrong["spec"].pop("priorityClassName")
    if priority:
        wrong["spec"]["priorityClassName"] = priority
    assert admission.refusals(namespace, wrong) == [
        "a pod names its environment's priority class: dev-low in dev and prod-high in prod"
    ]


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("tag", [f":{SHA}", f":{SHA[:7]}", f"@{DIGEST}", f":{SHA}@{DIGEST}"])
def test_our_images_come_in_by_commit_and_by_digest(admission: Admission, image: str, tag: str) -> None:
    assert admission.refusals("prod", pod("prod", f"{REGISTRY}/{image}{tag}")) == []


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "docker.io/library/nginx:1.29",
        f"docker.io/{REGISTRY}/user-service:{SHA}",
        f"{REGISTRY}/user-service",
        f"{REGISTRY}/user-service:latest",
        f"{REGISTRY}/user-service:dev-latest",
        f"{REGISTRY}/user-service:unreleased",
        f"{REGISTRY}/user-service:{SHA[:6]}",
        f"{REGISTRY}/user-service@sha256:{SHA}",
        f"{REGISTRY}/../other/user-service:{SHA}",
        f"{REGISTRY}x/user-service:{SHA}",
        f"111111111111.dkr.ecr.us-east-1.amazonaws.com/pingvas/user-service:{SHA}",
        f"000000000000.dkr.ecr.eu-west-1.amazonaws.com/pingvas/user-service:{SHA}",
        f"000000000000-dkr-ecr.us-east-1.amazonaws.com/pingvas/user-service:{SHA}",
        f"evil.example/{REGISTRY}/user-service:{SHA}",
        "docker.io/valkey/valkey:9.0.1-alpine",
    ],
)
@pytest.mark.parametrize("kind", ["containers", "initContainers", "ephemeralContainers"])
def test_no_other_image_runs_beside_our_data(admission: Admission, image: str, kind: str) -> None:
    for namespace in ("dev", "prod", "bootstrap"):
        wrong = pod(namespace)
        wrong["spec"][kind] = [*wrong["spec"].get(kind, []), {"name": "two", "image": image}]
        assert admission.refusals(namespace, wrong) == [f"images come from {REGISTRY}/ by a commit's SHA or a digest"]


def test_a_container_that_is_put_into_a_running_pod_is_judged_too(admission: Admission) -> None:
    before = pod("prod")
    after = deepcopy(before)
    after["spec"]["ephemeralContainers"] = [{"name": "debugger", "image": "busybox"}]
    assert admission.refusals("prod", after, before=before, resource="pods/ephemeralcontainers")
    changed = deepcopy(before)
    changed["spec"]["containers"][0]["image"] = f"{REGISTRY}/user-service:latest"
    assert admission.refusals("prod", changed, before=before)


def test_a_pod_of_yesterdays_rules_can_still_be_ended(admission: Admission) -> None:
    before = pod("prod", image=f"{REGISTRY}/user-service:v1")
    after = deepcopy(before)
    after["metadata"]["finalizers"] = []
    assert admission.refusals("prod", after, before=before) == []


def test_other_namespaces_run_what_their_charts_bring(admission: Admission) -> None:
    for namespace in ("argocd", "monitoring", "kube-system"):
        assert admission.refusals(namespace, pod(namespace, "quay.io/argoproj/argocd:v3.4.3")) == []


def test_the_caches_own_image_runs_only_where_the_cache_is_in_the_cluster(inside: Manifests) -> None:
    admission = Admission(inside)
    assert admission.refusals("prod", pod("prod", "docker.io/valkey/valkey:9.0.1-alpine")) == []
    assert admission.refusals("prod", pod("prod", "docker.io/valkey/valkey:latest"))
    assert admission.refusals("prod", pod("prod", "docker.io/valkey/other:9.0.1"))


def test_the_caches_pods_are_admitted_and_fit_beside_everything_else(inside: Manifests) -> None:
    admission = Admission(inside)
    for environment in ("dev", "prod"):
        namespace = Namespace(inside, environment)
        here = [one for one in inside.all() if one.namespace == environment]
        for one, count in most_pods(here):
            made = delivered(one)
            assert admission.refusals(environment, made) == [], str(one)
            assert pod_security.refusals("restricted", made["spec"]) == [], str(one)
            for _ in range(count):
                namespace.admit(made)
        assert any(one.name.startswith("redis") for one in here if one.kind == "StatefulSet")


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "nvidia.com/gpu", "operator": "Equal", "value": "true"},
        {"operator": "Exists"},
    ],
)
def test_a_gpu_nodes_place_is_for_who_asks_for_its_gpu(admission: Admission, toleration: dict[str, str]) -> None:
    wrong = pod(tolerations=[toleration])
    assert admission.refusals("dev", wrong) == ["GPU nodes are for pods that ask for a GPU"]
    wrong["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Gi"}}
    assert admission.refusals("dev", wrong) == ["GPU nodes are for pods that ask for a GPU"]
    wrong["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "1"}}
    assert admission.refusals("dev", wrong) == []


def test_tolerations_of_other_taints_are_nobodys_business(admission: Admission) -> None:
    fine = pod(tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}])
    assert admission.refusals("dev", fine) == []


def test_no_template_keeps_its_node_for_ever(admission: Admission) -> None:
    wrong = pod()
    wrong["metadata"]["annotations"] = {KEEP: "true"}
    assert len(admission.refusals("dev", wrong)) == 1


def test_a_worker_marks_its_own_pod_and_takes_the_mark_off_again(admission: Admission) -> None:
    idle = pod()
    busy = deepcopy(idle)
    busy["metadata"]["annotations"] = {KEEP: "true", COST: "1000"}
    assert admission.refusals("dev", busy, before=idle, user=WORKER) == []
    assert admission.refusals("dev", idle, before=busy, user=WORKER) == []


def test_a_worker_marks_nobody_elses_pod(admission: Admission) -> None:
    idle = pod()
    busy = deepcopy(idle)
    busy["metadata"]["annotations"] = {KEEP: "true"}
    told = "a pod of an environment changes no pod but its own"
    for extra in (
        {"authentication.kubernetes.io/pod-name": ["gpu-worker-xyz"]},
        {"authentication.kubernetes.io/pod-name": ["gpu-worker-abc", "gpu-worker-xyz"]},
        {"authentication.kubernetes.io/pod-name": []},
        {},
    ):
        assert admission.refusals("dev", busy, before=idle, user={**WORKER, "extra": extra}) == [told]
    nameless = {name: value for name, value in WORKER.items() if name != "extra"}
    assert admission.refusals("dev", busy, before=idle, user=nameless) == [told]
    elsewhere = {**WORKER, "username": "system:serviceaccount:dev:payment-service", "extra": {}}
    assert admission.refusals("dev", busy, before=idle, user=elsewhere) == [told]
    assert admission.refusals("prod", pod("prod"), before=pod("prod"), user={**WORKER, "extra": {}}) == [told]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["spec"]["containers"][0].update(image=f"{REGISTRY}/gpu-worker:{SHA}"),
        lambda one: one["spec"].update(activeDeadlineSeconds=1),
        lambda one: one["spec"].update(tolerations=[{"key": "x"}]),
        lambda one: one["metadata"]["labels"].update({"app.kubernetes.io/name": "user-service"}),
        lambda one: one["metadata"].pop("labels"),
        lambda one: one["metadata"].update(finalizers=["pingvas.com/stay"]),
        lambda one: one["metadata"].update(ownerReferences=[{"kind": "Node"}]),
        lambda one: one["metadata"].update(annotations={"kubectl.kubernetes.io/default-container": "two"}),
        lambda one: one["metadata"]["annotations"].pop("prometheus.io/scrape"),
        lambda one: one["metadata"]["annotations"].update({"prometheus.io/scrape": "false"}),
    ],
)
def test_a_worker_changes_nothing_else_even_of_its_own(admission: Admission, change: Any) -> None:
    before = pod()
    before["metadata"]["annotations"] = {"prometheus.io/scrape": "true"}
    after = deepcopy(before)
    change(after)
    assert admission.refusals("dev", after, before=before, user=WORKER)


def test_controllers_and_people_go_on_as_before(admission: Admission) -> None:
    before = pod()
    after = deepcopy(before)
    after["metadata"]["labels"]["more"] = "yes"
    for name in ("system:serviceaccount:kube-system:replicaset-controller", "system:node:one", "somebody"):
        assert admission.refusals("dev", after, before=before, user={"username": name, "groups": []}) == []


def delivered(workload: Object) -> dict[str, Any]:
    """A pod of the workload after a delivery has set its tag."""
    made = deepcopy(pod_of(workload))
    for container in (*made["spec"].get("initContainers", []), *made["spec"]["containers"]):
        container["image"] = container["image"].replace(":unreleased", f":{SHA}")
    return made


def test_every_pod_of_ours_is_admitted_once_a_delivery_has_set_its_tag(
    admission: Admission, manifests: Manifests
) -> None:
    judged = [one for one in manifests.all() if one.pod and one.namespace in PRIORITIES]
    for one in judged:
        assert admission.refusals(str(one.namespace), delivered(one)) == [], str(one)
    assert {one.namespace for one in judged} == set(PRIORITIES)
