"""The migration Job of each environment: before the sync, alone with the owner's password, within the quota's rest."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.maxima import MIGRATION_CPU, MIGRATION_MEMORY_GIB
from blueprint.rollout import JOB
from k8s_charts import migrations
from k8s_charts.folder import UNRELEASED, GitOps
from services.kernel.settings import Settings
from tests.support.manifests import Manifests, kustomize

EACH = [pytest.param(one, id=one.name) for one in CLUSTER_ENVIRONMENTS]
ANNOTATION = "argocd.argoproj.io/"


def built(manifests: Manifests, environment: Environment) -> dict[str, dict[str, Any]]:
    found = manifests.built(f"overlays/{environment.name}/migrations")
    return {one.kind: one.body for one in found}


def container(manifests: Manifests, environment: Environment) -> dict[str, Any]:
    (only,) = built(manifests, environment)["Job"]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize("environment", EACH)
def test_kustomize_makes_of_base_and_overlay_what_the_construct_makes_at_once(
    app: GitOps, manifests: Manifests, environment: Environment
) -> None:
    wanted = {one["kind"]: one for one in migrations.whole(app, environment)}
    assert built(manifests, environment) == wanted


@pytest.mark.parametrize("environment", EACH)
def test_what_the_job_reads_is_there_before_it(manifests: Manifests, environment: Environment) -> None:
    """A hook before the sync cannot wait for what the sync brings: the first sync would never end."""
    made = built(manifests, environment)
    hooks = {kind: body["metadata"].get("annotations", {}) for kind, body in made.items()}
    for kind in ("Job", "ServiceAccount", "ExternalSecret"):
        assert hooks[kind][f"{ANNOTATION}hook"] == "PreSync"
        assert hooks[kind][f"{ANNOTATION}hook-delete-policy"] == "BeforeHookCreation"
    waves = {kind: int(one.get(f"{ANNOTATION}sync-wave", 0)) for kind, one in hooks.items()}
    assert waves["ServiceAccount"] < waves["Job"]
    assert waves["ExternalSecret"] < waves["Job"]
    assert "envFrom" not in container(manifests, environment), "a ConfigMap comes with the sync, after the Job"
    assert made["ExternalSecret"]["spec"]["target"]["creationPolicy"] == "Orphan", "it would go with each hook"


@pytest.mark.parametrize("environment", EACH)
def test_a_new_image_makes_the_application_differ_though_hooks_are_not_compared(
    manifests: Manifests, environment: Environment, tmp_path: Path
) -> None:
    root = tmp_path / "gitops"
    shutil.copytree(manifests.root, root)
    file = root / f"overlays/{environment.name}/migrations/kustomization.yaml"
    text = file.read_text()
    assert text.count(f"newTag: {UNRELEASED}") == 1
    file.write_text(text.replace(f"newTag: {UNRELEASED}", "newTag: 0123456789ab"))
    made = {one["kind"]: one for one in yaml.safe_load_all(kustomize(file.parent))}
    image = made["Job"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith("/pingvas/migrations:0123456789ab")
    assert made["ConfigMap"]["data"] == {"image": image}
    assert f"{ANNOTATION}hook" not in made["ConfigMap"]["metadata"].get("annotations", {})


@pytest.mark.parametrize("environment", EACH)
def test_it_stays_within_what_the_quota_leaves_it(manifests: Manifests, environment: Environment) -> None:
    assert (MIGRATION_CPU, MIGRATION_MEMORY_GIB) == (0.5, 0.5)
    assert container(manifests, environment)["resources"]["requests"] == {"cpu": "500m", "memory": "512Mi"}
    spec = built(manifests, environment)["Job"]["spec"]
    assert spec.get("parallelism", 1) == spec.get("completions", 1) == 1


@pytest.mark.parametrize("environment", EACH)
def test_it_is_tried_again_and_ends(manifests: Manifests, environment: Environment) -> None:
    spec = built(manifests, environment)["Job"]["spec"]
    assert spec["backoffLimit"] == JOB.retries
    assert spec["activeDeadlineSeconds"] == JOB.deadline
    assert "ttlSecondsAfterFinished" not in spec, "its logs are wanted, and ArgoCD would miss it"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("environment", EACH)
def test_it_signs_in_as_the_owner_and_has_no_other_secret(
    manifests: Manifests, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in container(manifests, environment)["env"]:
        monkeypatch.setenv(one["name"], one["value"])
    settings = Settings()
    assert settings.environment == environment
    assert environment.role("owner") in settings.require("database_owner_url").get_secret_value()
    data = built(manifests, environment)["ExternalSecret"]["spec"]["data"]
    assert [one["remoteRef"]["key"] for one in data] == [f"pingvas/{environment.name}/db-owner"]
    (volume,) = [
        one["secret"]
        for one in built(manifests, environment)["Job"]["spec"]["template"]["spec"]["volumes"]
        if one["name"] == "secrets"
    ]
    assert [item["path"] for item in volume["items"]] == ["db-owner"]


@pytest.mark.parametrize("environment", EACH)
def test_it_has_an_account_of_its_own_and_its_environment_s_priority(
    manifests: Manifests, environment: Environment
) -> None:
    spec = built(manifests, environment)["Job"]["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "migrations"
    assert spec["automountServiceAccountToken"] is False
    assert spec["priorityClassName"] == environment.priority_class


def test_no_other_pod_of_an_environment_has_the_owner_s_password(manifests: Manifests) -> None:
    readers = {
        one.name
        for environment in CLUSTER_ENVIRONMENTS
        for one in manifests.of("ExternalSecret", namespace=environment.namespace)
        if any(entry["remoteRef"]["key"].endswith("/db-owner") for entry in one.body["spec"]["data"])
    }
    assert readers == {"migrations"}
