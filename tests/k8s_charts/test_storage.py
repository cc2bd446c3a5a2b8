"""Volumes: encrypted by our key, and each piece of the shared file system for exactly one claim."""

from pathlib import Path

import pytest
import yaml

from blueprint.addons import ADDONS
from blueprint.cluster import OWNED_TAG
from blueprint.data import EFS
from blueprint.environments import CLUSTER_ENVIRONMENTS
from k8s_charts.components.shared_files import claim
from k8s_charts.facts import placeholders
from k8s_charts.folder import Folder, GitOps
from tests.support.manifests import Manifests

FOLDER = "platform/storage"
CLAIMS = [(one.namespace, point) for one in CLUSTER_ENVIRONMENTS for point in EFS.access_points]


def test_volumes_of_claims_are_encrypted_by_our_key_and_made_where_the_pod_runs(manifests: Manifests) -> None:
    (block,) = [one.body for one in manifests.built(FOLDER) if one.kind == "StorageClass"]
    assert block["parameters"]["encrypted"] == "true"
    assert block["parameters"]["kmsKeyId"] == manifests.app.facts["cluster/key-arn"]
    assert block["volumeBindingMode"] == "WaitForFirstConsumer"
    assert block["allowVolumeExpansion"] is True


def test_one_storage_class_is_the_default(manifests: Manifests) -> None:
    default = "storageclass.kubernetes.io/is-default-class"
    marked = [one for one in manifests.of("StorageClass") if one.body["metadata"]["annotations"].get(default) == "true"]
    assert len(marked) == 1


def test_volumes_carry_the_tag_that_the_policies_of_backups_ask_for() -> None:
    (driver,) = [one for one in ADDONS if one.name == "aws-ebs-csi-driver"]
    assert driver.configuration["controller"]["extraVolumeTags"] == {OWNED_TAG: "owned"}


@pytest.mark.parametrize(("namespace", "point"), CLAIMS, ids=lambda one: getattr(one, "name", one))
def test_a_claim_and_its_volume_name_each_other_and_nobody_else(
    namespace: str, point: object, manifests: Manifests
) -> None:
    name = point.name  # type: ignore[attr-defined]
    volume = manifests.one("PersistentVolume", f"{namespace}-{name}").body["spec"]
    asked = manifests.one("PersistentVolumeClaim", name, namespace=namespace).body["spec"]
    assert (volume["claimRef"]["namespace"], volume["claimRef"]["name"]) == (namespace, name)
    assert asked["volumeName"] == f"{namespace}-{name}"
    assert volume["storageClassName"] == asked["storageClassName"] == "", "the default class would make a disk of it"
    assert volume["capacity"]["storage"] == asked["resources"]["requests"]["storage"]
    assert volume["accessModes"] == asked["accessModes"] == ["ReadWriteMany"], "the driver refuses any other"
    assert volume["persistentVolumeReclaimPolicy"] == "Retain"


@pytest.mark.parametrize(("namespace", "point"), CLAIMS, ids=lambda one: getattr(one, "name", one))
def test_a_volume_is_its_access_point_over_tls_with_iam_and_readers_cannot_write(
    namespace: str, point: object, manifests: Manifests
) -> None:
    facts = manifests.app.facts
    name, writes = point.name, point.writes  # type: ignore[attr-defined]
    volume = manifests.one("PersistentVolume", f"{namespace}-{name}").body["spec"]
    expected = f"{facts['efs/file-system-id']}::{facts[f'efs/{name}-access-point-id']}"
    assert volume["csi"] == {"driver": "efs.csi.aws.com", "volumeHandle": expected}
    assert {"tls", "iam"} <= set(volume["mountOptions"])
    assert ("ro" in volume["mountOptions"]) is not writes


def test_every_claim_that_a_pod_mounts_exists_beside_it(manifests: Manifests) -> None:
    made = {(namespace, point.name) for namespace, point in CLAIMS}
    workloads = [one for one in manifests.all() if one.pod]
    for workload in workloads:
        for volume in (workload.pod or {})["spec"].get("volumes", []):
            if "persistentVolumeClaim" in volume:
                assert (workload.namespace, volume["persistentVolumeClaim"]["claimName"]) in made, str(workload)


def test_a_folder_of_the_file_system_is_found_by_name_and_use() -> None:
    assert (claim("models", writes=True).name, claim("shared", writes=False).name) == ("models", "shared-readonly")
    with pytest.raises(KeyError):
        claim("elsewhere", writes=False)


def test_namesakes_of_two_namespaces_have_files_of_their_own(tmp_path: Path) -> None:
    app = GitOps(placeholders())
    from k8s_charts.storage import add

    add(app)
    (folder,) = [one for one in app.folders() if one.path == FOLDER]
    assert isinstance(folder, Folder)
    files = folder.files()
    assert yaml.safe_load(files["persistentvolumeclaim-dev-models.yaml"])["metadata"]["namespace"] == "dev"
    assert yaml.safe_load(files["persistentvolumeclaim-prod-models.yaml"])["metadata"]["namespace"] == "prod"
    assert set(yaml.safe_load(files["kustomization.yaml"])["resources"]) == set(files) - {"kustomization.yaml"}
