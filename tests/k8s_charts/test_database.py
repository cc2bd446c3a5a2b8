"""The bootstrap Job: alone with the master's secret, and told what the command line understands."""

import re
from typing import Any

import pytest

from blueprint.data import AURORA
from blueprint.environments import CLUSTER_ENVIRONMENTS, ROLES
from blueprint.secrets import SECRETS
from k8s_charts.components.pods import SECRETS_MOUNT
from services.kernel.addresses import password_file
from services.kernel.settings import Settings
from tests.support.manifests import Manifests

FOLDER = "platform/database"


@pytest.fixture(scope="module")
def built(manifests: Manifests) -> dict[str, dict[str, Any]]:
    found = manifests.built(FOLDER)
    kinds = {one.kind: one.body for one in found}
    assert len(kinds) == len(found) == 4
    return kinds


@pytest.fixture(scope="module")
def pod(built: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = built["Job"]["spec"]["template"]["spec"]
    return spec


def test_the_masters_secret_is_in_a_namespace_of_its_own(manifests: Manifests) -> None:
    arn = manifests.app.facts["aurora/master-secret-arn"]
    readers = {
        (one.namespace, one.name)
        for one in manifests.of("ExternalSecret")
        if any(entry["remoteRef"]["key"] == arn for entry in one.body["spec"]["data"])
    }
    assert readers == {("bootstrap", "database-bootstrap")}
    workloads = [str(one) for one in manifests.all() if one.namespace == "bootstrap" and one.pod is not None]
    assert workloads == [f"{FOLDER}: Job database-bootstrap"]


def test_it_runs_within_the_sync_after_its_secret_and_again_with_a_new_image(built: dict[str, dict[str, Any]]) -> None:
    annotations = built["Job"]["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/hook"] == "Sync"
    assert annotations["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    wave = "argocd.argoproj.io/sync-wave"
    for kind in ("ExternalSecret", "ServiceAccount"):
        assert int(built[kind]["metadata"]["annotations"][wave]) < int(annotations[wave])
    assert "ttlSecondsAfterFinished" not in built["Job"]["spec"]
    (container,) = built["Job"]["spec"]["template"]["spec"]["containers"]
    assert built["ConfigMap"]["data"] == {"image": container["image"]}


def test_each_run_starts_from_the_passwords_of_that_moment(built: dict[str, dict[str, Any]]) -> None:
    """A Secret that is older than a rotation would give the role its old password back, and lock the services out."""
    secret = built["ExternalSecret"]
    assert secret["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "Sync"
    assert secret["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    assert secret["spec"]["target"]["creationPolicy"] == "Orphan", "with an owner that goes, it would go"


def test_its_command_is_the_program_s_and_its_files_are_where_that_looks(
    pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = pod["containers"]
    python, flag, module, option, folder, *environments = container["command"]
    assert (python, flag, module, option) == ("python", "-m", "services.kernel.bootstrap", "--passwords")
    assert environments == [one.name for one in CLUSTER_ENVIRONMENTS]
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "secrets"]
    assert mount["mountPath"] == folder == SECRETS_MOUNT
    (secret,) = [one["secret"] for one in pod["volumes"] if one["name"] == "secrets"]
    paths = {item["path"] for item in secret["items"]}
    assert paths == {"master", *(f"{one}/db-{role}" for one in environments for role in ROLES)}
    for one in container["env"]:
        monkeypatch.setenv(one["name"], one["value"])
    url, file = password_file(Settings().require("database_admin_url").get_secret_value())
    assert f"//{AURORA.master}@" in url
    assert "sslmode=verify-full" in url
    assert str(file) == f"{SECRETS_MOUNT}/master"


def test_each_file_holds_the_password_of_its_own_role(built: dict[str, dict[str, Any]], pod: dict[str, Any]) -> None:
    remote = {one["secretKey"]: one["remoteRef"] for one in built["ExternalSecret"]["spec"]["data"]}
    (secret,) = [one["secret"] for one in pod["volumes"] if one["name"] == "secrets"]
    for item in secret["items"]:
        assert re.fullmatch(r"[-._a-zA-Z0-9]+", item["key"]), "no key of a Secret"
        source = remote[item["key"]]
        assert source["property"] == "password"
        if item["path"] != "master":
            assert source["key"] == f"pingvas/{item['path']}"
            assert "password" in SECRETS[source["key"]].keys


def test_it_has_an_account_without_a_token(built: dict[str, dict[str, Any]], pod: dict[str, Any]) -> None:
    assert pod["serviceAccountName"] == built["ServiceAccount"]["metadata"]["name"] == "database-bootstrap"
    assert pod["automountServiceAccountToken"] is False
    assert built["ServiceAccount"]["automountServiceAccountToken"] is False
