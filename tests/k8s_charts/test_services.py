"""The five services in both environments: one construct, one Kustomize overlay each, and what leads to their pods."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from blueprint.edge import target_group
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.services import SERVICES
from k8s_charts import services, tree
from k8s_charts.components.service_shape import ENVIRONMENT_LABEL
from k8s_charts.facts import placeholders
from k8s_charts.folder import UNRELEASED, GitOps
from tests.support.manifests import Manifests, kustomize
from tests.support.services import CASES, Case, built, container, pod


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
