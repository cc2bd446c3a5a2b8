"""Every object as it is applied, against schemas, models and rules; what a second synthesis does, and a delivery."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from k8s_charts import tree
from k8s_charts.facts import load, placeholders
from k8s_charts.folder import UNRELEASED, GitOps
from k8s_charts.main import build, files
from studio.cloud import toolchain
from studio.cloud.manifests.hardening import WAIVED, judge
from studio.cloud.manifests.synthesis import GITOPS
from studio.cloud.manifests.validation import validate
from tests.support.manifests import Manifests, kustomize


def test_every_object_fits_its_schema(manifests: Manifests) -> None:
    assert [str(one) for one in validate([one.body for one in manifests.all()])] == []


def test_every_pod_keeps_the_rules(manifests: Manifests) -> None:
    assert [str(one) for one in judge([one.body for one in manifests.all()])] == []


def test_every_waiver_has_a_reason_and_is_needed(manifests: Manifests) -> None:
    objects = [one.body for one in manifests.all()]
    for (what, rule), reason in WAIVED.items():
        assert len(reason) > 20, (what, rule)
        others = {key: value for key, value in WAIVED.items() if key != (what, rule)}
        assert judge(objects, others), f"nothing needs the waiver of {rule} for {what}"


def test_no_object_is_applied_twice(manifests: Manifests) -> None:
    seen: dict[tuple[str, str, str | None, str], str] = {}
    for one in manifests.all():
        if one.path.startswith(("in-cluster",)):
            continue
        key = (one.body["apiVersion"], one.kind, one.namespace, one.name)
        assert key not in seen, f"{one} is also in {seen[key]}"
        seen[key] = one.path


def test_every_namespaced_object_says_where_it_goes(manifests: Manifests) -> None:
    cluster_wide = {
        "Namespace",
        "PriorityClass",
        "StorageClass",
        "PersistentVolume",
        "ClusterRole",
        "ClusterRoleBinding",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "NodePool",
        "EC2NodeClass",
        "ClusterSecretStore",
        "IngressClass",
    }
    for one in manifests.all():
        assert (one.namespace is None) == (one.kind in cluster_wide), str(one)


def test_nothing_secret_is_committed() -> None:
    for path in GITOPS.rglob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            if isinstance(document, dict) and document.get("kind") == "Secret":
                pytest.fail(f"{path} is a Secret")


def test_a_second_synthesis_gives_the_same_bytes(app: GitOps) -> None:
    assert files(build(placeholders())) == files(app)


def test_every_file_ends_in_one_newline_and_has_no_tab(app: GitOps) -> None:
    for name, text in files(app).items():
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        if name.endswith(".yaml"):
            assert not any(line != line.rstrip() for line in text.splitlines() if not line.startswith(" ")), name


def test_a_tag_that_delivery_set_is_kept_and_is_one_line(app: GitOps, manifests: Manifests, tmp_path: Path) -> None:
    before = files(app)
    path = "overlays/prod/user-service"
    edited = before[f"{path}/kustomization.yaml"].replace(f"newTag: {UNRELEASED}", "newTag: 0123abc")
    tree.write(tmp_path, before | {f"{path}/kustomization.yaml": edited})
    after = files(build(load(tmp_path), tree.tags(tmp_path)))
    assert {name for name in after if after[name] != before[name]} == {f"{path}/kustomization.yaml"}
    assert tree.differences(tmp_path, after) == ([], [])
    before_lines, lines = _lines(manifests.root / path), _lines(tmp_path / path)
    different = [pair for pair in zip(before_lines, lines, strict=True) if pair[0] != pair[1]]
    assert len(different) == 1, different
    assert different[0][0].endswith(f":{UNRELEASED}")
    assert different[0][1].endswith(":0123abc")


def _lines(folder: Path) -> list[str]:
    return kustomize(folder).splitlines()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_checkov_finds_nothing(manifests: Manifests, tmp_path: Path) -> None:
    for path in manifests.folders():
        text = yaml.safe_dump_all([one.body for one in manifests.built(path)])
        (tmp_path / f"{path.replace('/', '-')}.yaml").write_text(text)
    done = subprocess.run(
        [toolchain.checkov(), "--skip-download", "--quiet", "--framework", "kubernetes", "-o", "json", "-d", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 500
    assert report["summary"]["parsing_errors"] == 0
    failed = {
        (one["check_id"], one["resource"]): f"{one['check_id']} {one['check_name']}: {one['resource']}"
        for one in report["results"]["failed_checks"]
    }
    used = {
        (check, part): [key for key in failed if key[0] == check and part in key[1]] for check, part in CHECKOV_WAIVED
    }
    excused = {key for keys in used.values() for key in keys}
    assert [told for key, told in failed.items() if key not in excused] == []
    assert [waiver for waiver, keys in used.items() if not keys] == [], "nothing needs these waivers"


_PLUGIN = "DaemonSet.kube-system.nvidia-device-plugin"
CHECKOV_WAIVED: dict[tuple[str, str], str] = {
    (
        "CKV_K8S_15",
        "",
    ): "tags are commits in repositories whose tags are immutable: what a node has is what it would pull",
    ("CKV_K8S_35", ""): "secrets that follow a rotation are files; those that change by a restart are variables",
    ("CKV_K8S_40", ""): "uids are those of the shared file system's access points; nodes have no such users",
    ("CKV_K8S_43", ""): "images are chosen by commit in repositories whose tags are immutable",
    ("CKV_K8S_8", _PLUGIN): "it has no port; it ends by itself when the kubelet's socket goes, and is restarted",
    ("CKV_K8S_9", _PLUGIN): "nothing is sent to it: the kubelet learns of GPUs by its registration",
    ("CKV_K8S_11", _PLUGIN): "a limit would delay the registration that every GPU pod waits for",
    ("CKV_K8S_11", ".gpu-worker"): "it is alone on its node but for DaemonSets: a limit would idle cores that it has",
    ("CKV_K8S_23", _PLUGIN): "the kubelet's device-plugin socket belongs to root",
}
"""Findings of checkov that are as they must be, by check and a part of the resource's name, with the reason."""
