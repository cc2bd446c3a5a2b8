"""The five services in both environments: one construct, one Kustomize overlay each, and what a rollout needs."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprint.data import EFS
from blueprint.edge import HEALTH_PATH, target_group
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.rollout import ROLLOUT
from blueprint.secrets import SECRETS
from blueprint.services import HTTP, SERVICES, Service
from blueprint.worker import WORKER
from blueprint.workloads import WORKLOADS
from k8s_charts import services, tree
from k8s_charts.components.service_shape import CHECKSUM, ENVIRONMENT_LABEL
from k8s_charts.facts import placeholders
from k8s_charts.folder import UNRELEASED, GitOps
from services.kernel.settings import Settings
from tests.support.manifests import Manifests, Object, kustomize

Case = tuple[Environment, Service]
CASES = [
    pytest.param((environment, service), id=f"{environment.name}-{service.name}")
    for environment in CLUSTER_ENVIRONMENTS
    for service in SERVICES.values()
]


def path(case: Case) -> str:
    environment, service = case
    return f"overlays/{environment.name}/{service.title}"


def built(manifests: Manifests, case: Case) -> dict[str, dict[str, Any]]:
    """The objects of a service by kind; each kind comes once."""
    found: list[Object] = manifests.built(path(case))
    kinds = {one.kind: one.body for one in found}
    assert len(kinds) == len(found)
    return kinds


def pod(manifests: Manifests, case: Case) -> dict[str, Any]:
    spec: dict[str, Any] = built(manifests, case)["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(manifests: Manifests, case: Case) -> dict[str, Any]:
    (only,) = pod(manifests, case)["containers"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize("case", CASES)
def test_kustomize_makes_of_base_and_overlay_what_the_construct_makes_at_once(
    app: GitOps, manifests: Manifests, case: Case
) -> None:
    wanted = {one["kind"]: one for one in services.whole(app, *case)}
    made = built(manifests, case)
    assert sorted(made) == sorted(wanted)
    for kind, body in wanted.items():
        assert made[kind] == body, kind


@pytest.mark.parametrize("case", CASES)
def test_a_service_has_all_that_it_needs_under_one_name_in_its_environment(manifests: Manifests, case: Case) -> None:
    environment, service = case
    made = built(manifests, case)
    assert set(made) == {
        "ConfigMap",
        "Deployment",
        "ExternalSecret",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
        "TargetGroupBinding",
    }
    for body in made.values():
        assert body["metadata"]["name"] == service.title
        assert body["metadata"]["namespace"] == environment.namespace
        assert body["metadata"]["labels"][ENVIRONMENT_LABEL] == environment.name


@pytest.mark.parametrize("case", CASES)
def test_every_selector_finds_the_pods_and_names_no_more_than_the_app(manifests: Manifests, case: Case) -> None:
    _, service = case
    made = built(manifests, case)
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    wanted = {"app.kubernetes.io/name": service.title}
    assert wanted.items() <= labels.items()
    assert made["Deployment"]["spec"]["selector"]["matchLabels"] == wanted
    assert made["Service"]["spec"]["selector"] == wanted
    assert made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == wanted
    for spread in pod(manifests, case)["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"] == wanted


@pytest.mark.parametrize("case", CASES)
def test_the_service_s_port_is_the_container_s_since_policies_see_addresses_after_translation(
    manifests: Manifests, case: Case
) -> None:
    _, service = case
    (port,) = built(manifests, case)["Service"]["spec"]["ports"]
    (own,) = container(manifests, case)["ports"]
    assert port["port"] == port["targetPort"] == own["containerPort"] == service.port
    assert port["name"] == own["name"] == "http"
    assert built(manifests, case)["Service"]["spec"]["type"] == "ClusterIP"


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


@pytest.mark.parametrize("case", CASES)
def test_the_pods_are_bound_to_their_own_target_group_and_nothing_touches_security_groups(
    manifests: Manifests, case: Case
) -> None:
    environment, service = case
    spec = built(manifests, case)["TargetGroupBinding"]["spec"]
    assert spec == {
        "targetGroupName": target_group(environment.name, service.name),
        "targetType": "ip",
        "serviceRef": {"name": service.title, "port": service.port},
    }


@pytest.mark.parametrize("case", CASES)
def test_what_pods_need_is_there_before_them_and_the_autoscaler_is_not(manifests: Manifests, case: Case) -> None:
    """The readiness gate is given to pods by the bindings that exist when they are made."""
    waves = {
        kind: int(body["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0))
        for kind, body in built(manifests, case).items()
    }
    for kind in ("ConfigMap", "ExternalSecret", "Service", "ServiceAccount", "TargetGroupBinding"):
        assert waves[kind] < waves["Deployment"], kind
    assert waves["HorizontalPodAutoscaler"] >= waves["Deployment"]


def environment_of(manifests: Manifests, case: Case) -> dict[str, str]:
    """The variables of the process, with stand-ins for what the Secret holds."""
    made = built(manifests, case)
    variables: dict[str, str] = dict(made["ConfigMap"]["data"])
    given = container(manifests, case)
    assert given["envFrom"] == [{"configMapRef": {"name": case[1].title}}]
    template = made["ExternalSecret"]["spec"]["target"].get("template", {}).get("data", {})
    for one in given["env"]:
        reference = one["valueFrom"]["secretKeyRef"]
        assert (reference["name"], reference["key"]) == (case[1].title, one["name"])
        filled = template.get(one["name"], "").replace("{{ .token }}", "Tk9" * 16)
        variables[one["name"]] = filled if filled and "{{" not in filled else "k7Qp" * 12
    return variables


@pytest.mark.parametrize("case", CASES)
def test_the_process_starts_with_what_the_manifests_tell_it(
    manifests: Manifests, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, service = case
    for name, value in environment_of(manifests, case).items():
        assert name.removeprefix("PINGVAS_").lower() in Settings.model_fields, f"{name} is read by nobody"
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.environment == environment
    assert settings.schema_name == environment.schema
    for name in ("database_url", "jwt_secret", *needed(service)):
        settings.require(name)
    assert settings.redis_url.get_secret_value().startswith("rediss://")
    assert (":Tk9" in settings.redis_url.get_secret_value()) == environment.redis_auth
    if service.name == "model":
        assert str(settings.models_dir) == WORKER.models_mount
    assert settings.storage_url.startswith("s3://") == (service.name in ("generation", "gallery"))


def needed(service: Service) -> Iterator[str]:
    """What the service's own code opens beside what all of them do."""
    code = "".join(one.read_text() for one in Path(services.__file__).parents[1].glob(f"services/{service.name}/*.py"))
    if 'role="worker"' in code:
        yield "database_worker_url"


@pytest.mark.parametrize("case", CASES)
def test_a_service_gets_the_passwords_that_its_urls_name_and_no_other(manifests: Manifests, case: Case) -> None:
    _, service = case
    made = built(manifests, case)
    urls = [value for name, value in made["ConfigMap"]["data"].items() if "passwordfile=" in value]
    named = {value.partition("passwordfile=/run/secrets/pingvas/")[2] for value in urls}
    (volume,) = [one["secret"] for one in pod(manifests, case)["volumes"] if one["name"] == "secrets"]
    keys = {"cdn-private-key", "cdn-public-key-id"} if service.name == "gallery" else set()
    assert {item["path"] for item in volume["items"]} == {item["key"] for item in volume["items"]} == named | keys
    assert named == ({"db-app", "db-worker"} if list(needed(service)) else {"db-app"})
    assert volume["defaultMode"] == 0o440


@pytest.mark.parametrize("case", CASES)
def test_every_secret_is_one_of_the_environment_s_own_and_nothing_secret_is_written_down(
    manifests: Manifests, case: Case
) -> None:
    environment, _ = case
    made = built(manifests, case)
    spec = made["ExternalSecret"]["spec"]
    assert spec["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": f"pingvas-{environment.name}"}
    for one in spec["data"]:
        secret = SECRETS[one["remoteRef"]["key"]]
        assert secret.environment == environment.name
        assert one["remoteRef"]["property"] in secret.keys
    for name, value in made["ConfigMap"]["data"].items():
        assert "{{" not in value, name
        login = value.partition("://")[2].rpartition("@")[0]
        assert ":" not in login, f"{name} has a password in it"


@pytest.mark.parametrize("case", CASES)
def test_the_secret_holds_what_the_pod_reads_and_no_more(manifests: Manifests, case: Case) -> None:
    spec = built(manifests, case)["ExternalSecret"]["spec"]
    keys = set(spec["target"].get("template", {}).get("data", {})) or {one["secretKey"] for one in spec["data"]}
    (volume,) = [one["secret"] for one in pod(manifests, case)["volumes"] if one["name"] == "secrets"]
    read = {item["key"] for item in volume["items"]} | {one["name"] for one in container(manifests, case)["env"]}
    assert keys == read


@pytest.mark.parametrize("case", CASES)
def test_documents_settings_are_visible_in_the_config_map(manifests: Manifests, case: Case) -> None:
    environment, _ = case
    data = built(manifests, case)["ConfigMap"]["data"]
    assert data["PINGVAS_DATABASE_SCHEMA"] == {"dev": "dev_pingvas", "prod": "prod_pingvas"}[environment.name]
    assert data["PINGVAS_REDIS_MODE"] == {"dev": "standalone", "prod": "replication"}[environment.name]


def test_a_changed_setting_replaces_the_pods_and_an_unchanged_one_does_not(manifests: Manifests) -> None:
    facts = placeholders()
    service, (dev, _) = SERVICES["user"], CLUSTER_ENVIRONMENTS
    before = services.configuration(service, dev, facts).checksum
    other = replace(facts, outputs={**facts.outputs, "aurora/writer-endpoint": "elsewhere.internal"})
    assert services.configuration(service, dev, other).checksum != before
    assert services.configuration(service, dev, placeholders()).checksum == before
    annotations = built(manifests, (dev, service))["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations[CHECKSUM] == before


def test_a_new_tag_is_one_line_of_one_file_and_one_image_of_the_built_service(
    manifests: Manifests, tmp_path: Path
) -> None:
    root = tmp_path / "gitops"
    shutil.copytree(manifests.root, root)
    file = root / "overlays/prod/user-service/kustomization.yaml"
    text = file.read_text()
    assert text.count(f"newTag: {UNRELEASED}") == 1
    file.write_text(text.replace(f"newTag: {UNRELEASED}", "newTag: 0123456789ab"))
    before = kustomize(manifests.root / "overlays/prod/user-service").splitlines()
    after = kustomize(root / "overlays/prod/user-service").splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert changed[0].strip().removeprefix("- ").endswith("/pingvas/user-service:0123456789ab")
    again = GitOps(placeholders(), tree.tags(root))
    services.add(again)
    assert again.files()["overlays/prod/user-service/kustomization.yaml"] == file.read_text(), "synthesis keeps it"


def test_one_number_is_one_line_where_the_environments_share_it_and_one_each_where_they_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def changed(before: dict[str, str], after: dict[str, str]) -> dict[str, int]:
        assert sorted(before) == sorted(after)
        pairs = {
            name: sum(a != b for a, b in zip(text.splitlines(), after[name].splitlines(), strict=True))
            for name, text in before.items()
        }
        return {name: lines for name, lines in pairs.items() if lines}

    def files() -> dict[str, str]:
        app = GitOps(placeholders())
        services.add(app)
        return app.files()

    before = files()
    dev, prod = CLUSTER_ENVIRONMENTS
    bigger = replace(prod, replicas=replace(prod.replicas, minimum=3))
    monkeypatch.setattr(services, "CLUSTER_ENVIRONMENTS", (dev, bigger))
    assert changed(before, files()) == {
        f"overlays/prod/{one.title}/patches/autoscaler.yaml": 1 for one in SERVICES.values()
    }


def test_with_the_edge_in_the_cluster_no_service_is_bound_to_a_target_group() -> None:
    app = GitOps(replace(placeholders(), edge_and_cache="in-cluster"))
    services.add(app)
    kinds = [body["kind"] for folder in app.folders() for body in folder.objects()]
    assert "TargetGroupBinding" not in kinds
    for environment, mode in (("dev", "standalone"), ("prod", "sentinel")):
        text = app.files()[f"overlays/{environment}/user-service/configmap.yaml"]
        assert yaml.safe_load(text)["data"]["PINGVAS_REDIS_MODE"] == mode
