"""The GPU worker in both environments: where it runs, what it may, how it ends."""

from copy import deepcopy
from typing import Any

import pytest

from blueprint.cold_start import COLD_START
from blueprint.data import EFS
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.pools import GPU
from blueprint.worker import GPU_RESOURCE, SERVICE_ACCOUNT, WORKER
from blueprint.workloads import WORKLOADS
from gpu_worker.__main__ import main
from gpu_worker.disruption import MARKS
from k8s_charts import worker
from k8s_charts.components.gpu_worker import POD_NAME
from k8s_charts.folder import UNRELEASED, GitOps
from services.kernel.settings import Settings
from tests.support.admission import Admission, pod_of
from tests.support.manifests import Manifests, Object
from tests.support.rbac import Rights, Who

BOTH = pytest.mark.parametrize("environment", CLUSTER_ENVIRONMENTS, ids=lambda one: one.name)
SHA = "0123456789abcdef0123456789abcdef01234567"


def built(manifests: Manifests, environment: Environment) -> dict[str, Object]:
    """The worker's objects by kind; each kind comes once."""
    found = manifests.built(f"overlays/{environment.name}/gpu-worker")
    kinds = {one.kind: one for one in found}
    assert len(kinds) == len(found)
    return kinds


def spec(manifests: Manifests, environment: Environment) -> dict[str, Any]:
    template = built(manifests, environment)["Deployment"].pod
    assert template is not None
    return dict(template["spec"])


def container(manifests: Manifests, environment: Environment) -> dict[str, Any]:
    (only,) = spec(manifests, environment)["containers"]
    return dict(only)


def in_order(body: dict[str, Any]) -> dict[str, Any]:
    """With variables by name: a patch puts its own before the base's."""
    if body["kind"] == "Deployment":
        (only,) = body["spec"]["template"]["spec"]["containers"]
        only["env"].sort(key=lambda one: one["name"])
    return body


@BOTH
def test_the_overlay_comes_to_what_the_construct_makes_whole(
    manifests: Manifests, app: GitOps, environment: Environment
) -> None:
    wanted = {one["kind"]: in_order(one) for one in worker.whole(app, environment)}
    made = {kind: in_order(deepcopy(one.body)) for kind, one in built(manifests, environment).items()}
    assert sorted(made) == sorted(wanted)
    for kind, body in wanted.items():
        assert made[kind] == body, kind


@BOTH
def test_a_worker_asks_for_one_gpu_of_the_gpu_pool_and_no_more_than_its_smallest_node_has(
    manifests: Manifests, environment: Environment
) -> None:
    pod, only = spec(manifests, environment), container(manifests, environment)
    assert only["resources"]["requests"] == {"cpu": "2", "memory": "12Gi", GPU_RESOURCE: "1"}
    assert only["resources"]["limits"] == {"memory": "12Gi", GPU_RESOURCE: "1"}
    assert pod["nodeSelector"] == dict(GPU.labels) == {"workload-type": "gpu"}
    (taint,) = GPU.taints
    (toleration,) = pod["tolerations"]
    assert (toleration["key"], toleration["effect"]) == (taint.key, taint.effect)
    assert pod["priorityClassName"] == environment.priority_class


@BOTH
def test_a_rollout_needs_no_gpu_beside_those_that_there_are(manifests: Manifests, environment: Environment) -> None:
    deployment = built(manifests, environment)["Deployment"].body["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxSurge"] == 0
    assert deployment["progressDeadlineSeconds"] >= 3 * COLD_START.seconds


@BOTH
def test_the_node_waits_exactly_as_long_as_the_pod_may_take(manifests: Manifests, environment: Environment) -> None:
    """Karpenter deletes do-not-disrupt pods so long before a node's end that their whole grace fits: with equal numbers
    a Spot notice ends a busy pod at once, and softly."""
    pool = manifests.one("NodePool", GPU.name).body["spec"]["template"]["spec"]
    assert pool["terminationGracePeriod"] == f"{spec(manifests, environment)['terminationGracePeriodSeconds']}s"
    assert pool["expireAfter"] == "Never"


@BOTH
def test_models_and_workflows_are_read_and_not_written(manifests: Manifests, environment: Environment) -> None:
    pod, only = spec(manifests, environment), container(manifests, environment)
    mounts = {one["mountPath"]: one for one in only["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["volumes"]}
    for path, name in ((WORKER.models_mount, "models-readonly"), (WORKER.shared_mount, "shared-readonly")):
        assert mounts[path]["readOnly"] is True
        claimed = volumes[mounts[path]["name"]]["persistentVolumeClaim"]
        assert claimed == {"claimName": name, "readOnly": True}
    security = pod["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (EFS.reader_uid, EFS.gid)
    writable = {path for path, one in mounts.items() if not one.get("readOnly")}
    assert writable == {"/tmp", "/dev/shm"}  # noqa: S108 (the pod's own)
    assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"]["medium"] == "Memory"  # noqa: S108


@BOTH
def test_a_worker_has_until_three_times_its_loading_to_come_up(manifests: Manifests, environment: Environment) -> None:
    only = container(manifests, environment)
    startup = only["startupProbe"]
    load = sum(one.seconds for one in COLD_START.steps if one.name in ("Python, torch and diffusers", LOADED))
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 3 * load
    assert only["livenessProbe"]["exec"] == only["readinessProbe"]["exec"] == startup["exec"]


LOADED = "the model is loaded"


def test_what_the_probe_runs_exists_and_says_no_where_nobody_consumes(
    manifests: Manifests, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, flag, module, *arguments = container(manifests, CLUSTER_ENVIRONMENTS[0])["livenessProbe"]["exec"]["command"]
    assert (python, flag, module) == ("python", "-m", "gpu_worker")
    monkeypatch.setenv("PINGVAS_REDIS_URL", settings.redis_url.get_secret_value())
    assert main(arguments) == 1


@BOTH
def test_a_worker_may_patch_pods_of_its_namespace_and_nothing_else(
    manifests: Manifests, environment: Environment
) -> None:
    rights = Rights(list(manifests.all()))
    who = Who(
        name=f"system:serviceaccount:{environment.namespace}:gpu-worker",
        groups=("system:serviceaccounts", f"system:serviceaccounts:{environment.namespace}"),
    )
    assert rights.rules(who, environment.namespace) == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]
    for other in {one.namespace for one in CLUSTER_ENVIRONMENTS} - {environment.namespace}:
        assert not rights.may(who, "patch", "pods", namespace=other)
    assert (
        spec(manifests, environment)["serviceAccountName"]
        == WORKLOADS[f"{environment.name}-gpu-worker"].service_account
    )


@BOTH
def test_its_token_lives_minutes_and_lies_where_the_worker_looks(
    manifests: Manifests, environment: Environment
) -> None:
    """An automounted one would live a year: the API server extends those."""
    pod, only = spec(manifests, environment), container(manifests, environment)
    account = built(manifests, environment)["ServiceAccount"].body
    assert account["automountServiceAccountToken"] is pod["automountServiceAccountToken"] is False
    (mount,) = [one for one in only["volumeMounts"] if one["mountPath"] == SERVICE_ACCOUNT]
    (volume,) = [one for one in pod["volumes"] if one["name"] == mount["name"]]
    token, authority, namespace = volume["projected"]["sources"]
    assert token["serviceAccountToken"] == {"path": "token", "expirationSeconds": WORKER.token_seconds}
    assert WORKER.token_seconds >= 600, "the API server refuses less"
    assert authority["configMap"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"


@BOTH
def test_the_workers_own_patch_is_admitted_on_its_own_pod_alone(manifests: Manifests, environment: Environment) -> None:
    admission = Admission(manifests)
    idle = pod_of(built(manifests, environment)["Deployment"])
    repository = manifests.app.facts.repository("gpu-worker")
    for one in idle["spec"]["containers"]:
        assert one["image"] == f"{repository}:{UNRELEASED}"
        one["image"] = f"{repository}:{SHA}"
    busy = deepcopy(idle)
    busy["metadata"]["annotations"] |= MARKS
    user = {
        "username": f"system:serviceaccount:{environment.namespace}:gpu-worker",
        "groups": ["system:serviceaccounts"],
        "extra": {"authentication.kubernetes.io/pod-name": [idle["metadata"]["name"]]},
    }
    assert admission.refusals(environment.namespace, idle) == []
    assert admission.refusals(environment.namespace, busy, before=idle, user=user) == []
    assert admission.refusals(environment.namespace, idle, before=busy, user=user) == []
    other = {**user, "extra": {"authentication.kubernetes.io/pod-name": ["gpu-worker-other"]}}
    assert admission.refusals(environment.namespace, busy, before=idle, user=other)


@BOTH
def test_a_worker_is_told_what_it_reads_and_secrets_come_out_of_the_secret(
    manifests: Manifests, environment: Environment
) -> None:
    only = container(manifests, environment)
    plain = built(manifests, environment)["ConfigMap"].body["data"]
    variables = {one["name"]: one for one in only["env"]}
    told = {name for name in (*plain, *variables) if name.startswith("PINGVAS_")}
    assert {name.removeprefix("PINGVAS_").lower() for name in told} <= set(Settings.model_fields)
    assert {"PINGVAS_DATABASE_WORKER_URL", "PINGVAS_REDIS_URL", "PINGVAS_STORAGE_URL", POD_NAME} <= told
    assert not told & {"PINGVAS_JWT_SECRET", "PINGVAS_DATABASE_URL", "PINGVAS_DATABASE_OWNER_URL"}, "not a worker's"
    assert plain["PINGVAS_DEVICE"] == "cuda", "without its GPU a worker fails, instead of rendering for hours"
    assert plain["PINGVAS_METRICS_PORT"] == str(only["ports"][0]["containerPort"])
    assert ("secretKeyRef" in variables.get("PINGVAS_REDIS_URL", {}).get("valueFrom", {})) is environment.redis_auth
    assert variables[POD_NAME]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
