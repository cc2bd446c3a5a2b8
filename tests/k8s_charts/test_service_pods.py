"""The pods of the five services: how many, how large, where they run, and how they come and go."""

from math import ceil

import pytest

from blueprint.data import EFS
from blueprint.edge import HEALTH_PATH
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.rollout import ROLLOUT
from blueprint.services import HTTP
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from tests.support.manifests import Manifests
from tests.support.services import CASES, Case, built, container, pod


@pytest.mark.parametrize("case", CASES)
def test_the_autoscaler_alone_says_how_many(manifests: Manifests, case: Case) -> None:
    environment, service = case
    made = built(manifests, case)
    assert "replicas" not in made["Deployment"]["spec"]
    autoscaler = made["HorizontalPodAutoscaler"]["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (
        environment.replicas.minimum,
        environment.replicas.maximum,
    )
    assert autoscaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.title}
    (metric,) = autoscaler["metrics"]
    assert metric["resource"]["name"] == "cpu"


@pytest.mark.parametrize("case", CASES)
def test_limits_are_the_documents_figures_and_requests_half_of_them(manifests: Manifests, case: Case) -> None:
    _, service = case
    resources = container(manifests, case)["resources"]
    cores = {"user": "500m", "payment": "500m", "generation": "1", "gallery": "500m", "model": "500m"}
    assert resources["limits"] == {
        "cpu": cores[service.name],
        "memory": "1Gi" if service.name == "generation" else "512Mi",
    }
    assert resources["requests"] == {
        "cpu": "500m" if service.name == "generation" else "250m",
        "memory": "512Mi" if service.name == "generation" else "256Mi",
    }


@pytest.mark.parametrize("case", CASES)
def test_a_rollout_adds_before_it_takes_and_a_drain_is_never_blocked(manifests: Manifests, case: Case) -> None:
    environment, _ = case
    made = built(manifests, case)
    strategy = made["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": "25%", "maxUnavailable": 0}
    budget = made["PodDisruptionBudget"]["spec"]
    assert "minAvailable" not in budget
    share = int(budget["maxUnavailable"].rstrip("%")) / 100
    for replicas in range(environment.replicas.minimum, environment.replicas.maximum + 1):
        assert ceil(share * replicas) >= 1, f"with {replicas} replicas a node cannot be drained"
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("case", CASES)
def test_probes_ask_what_is_there_and_only_the_process_s_own_life_restarts_it(manifests: Manifests, case: Case) -> None:
    _, service = case
    probes = container(manifests, case)
    assert probes["readinessProbe"]["httpGet"]["path"] == HEALTH_PATH == "/readyz"
    assert probes["livenessProbe"]["httpGet"]["path"] == probes["startupProbe"]["httpGet"]["path"] == "/healthz"
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        assert probes[name]["httpGet"]["port"] == service.port
    assert probes["readinessProbe"]["timeoutSeconds"] > HTTP.readiness_check_seconds


@pytest.mark.parametrize("case", CASES)
def test_a_pod_serves_on_while_the_load_balancer_takes_it_out(manifests: Manifests, case: Case) -> None:
    assert container(manifests, case)["lifecycle"]["preStop"] == {"sleep": {"seconds": ROLLOUT.pre_stop}}
    assert pod(manifests, case)["terminationGracePeriodSeconds"] == ROLLOUT.grace


@pytest.mark.parametrize("case", CASES)
def test_pods_go_to_system_and_general_nodes_of_both_architectures_and_to_no_gpu(
    manifests: Manifests, case: Case
) -> None:
    spec = pod(manifests, case)
    assert not {"nodeSelector", "tolerations", "affinity", "nodeName"} & set(spec)
    spreads = {one["topologyKey"]: one for one in spec["topologySpreadConstraints"]}
    assert set(spreads) == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for spread in spreads.values():
        assert spread["nodeTaintsPolicy"] == "Honor", "GPU nodes would count, and stand empty"


@pytest.mark.parametrize("case", CASES)
def test_a_pod_has_its_environment_s_priority_and_its_own_account_without_a_token(
    manifests: Manifests, case: Case
) -> None:
    environment, service = case
    spec = pod(manifests, case)
    assert spec["priorityClassName"] == environment.priority_class
    assert spec["serviceAccountName"] == service.title
    assert spec["automountServiceAccountToken"] is False
    assert built(manifests, case)["ServiceAccount"]["automountServiceAccountToken"] is False


def test_a_workload_with_a_role_runs_as_the_account_that_the_role_is_bound_to() -> None:
    bound = {(one.namespace, one.service_account) for one in WORKLOADS.values()}
    for environment in CLUSTER_ENVIRONMENTS:
        for name in ("generation", "gallery", "model"):
            assert (environment.namespace, f"{name}-service") in bound


@pytest.mark.parametrize("case", CASES)
def test_a_pod_writes_to_tmp_alone_and_the_model_service_to_the_shared_files(manifests: Manifests, case: Case) -> None:
    _, service = case
    spec = pod(manifests, case)
    mounts = {one["name"]: one for one in container(manifests, case)["volumeMounts"]}
    writable = {name for name, one in mounts.items() if not one.get("readOnly")}
    claims = {
        one["name"]: one["persistentVolumeClaim"]["claimName"]
        for one in spec["volumes"]
        if "persistentVolumeClaim" in one
    }
    if service.name == "model":
        assert writable == {"tmp", "models", "shared"}
        assert claims == {"models": "models", "shared": "shared"}
        assert (mounts["models"]["mountPath"], mounts["shared"]["mountPath"]) == (
            WORKER.models_mount,
            WORKER.shared_mount,
        )
        assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (
            EFS.writer_uid,
            EFS.gid,
        )
    else:
        assert writable == {"tmp"}
        assert not claims
        assert spec["securityContext"]["runAsUser"] not in (EFS.writer_uid, EFS.reader_uid)
