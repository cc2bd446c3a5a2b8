"""The log pipeline: what Fluent Bit reads, what becomes of a line, and where it goes."""

import json
import re
from typing import Any

import pytest
import yaml

from blueprint.cluster import CONTAINER_LOG_GROUP, CONTAINER_LOG_PREFIX
from blueprint.components import COMPONENTS
from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps
from k8s_charts.main import files

FACTS = placeholders()


@pytest.fixture(scope="module")
def chart(app: GitOps) -> dict[str, Any]:
    return dict(yaml.safe_load(files(app)["addons/fluent-bit/values.yaml"]))


def sections(text: str) -> list[tuple[str, dict[str, str]]]:
    """Fluent Bit's classic configuration, read back."""
    made: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        if line.startswith("["):
            made.append((line.strip("[]"), {}))
        elif line.strip():
            key, _, value = line.strip().partition(" ")
            made[-1][1][key] = value
    return made


@pytest.fixture(scope="module")
def pipeline(chart: dict[str, Any]) -> dict[str, dict[str, str]]:
    parts = chart["config"]
    made = sections(parts["service"] + parts["inputs"] + parts["filters"] + parts["outputs"])
    return {keys.get("Name", name): keys for name, keys in made}


def test_lines_go_to_the_group_and_the_folder_that_the_role_may_write(pipeline: dict[str, dict[str, str]]) -> None:
    group = pipeline["cloudwatch_logs"]
    assert group["log_group_name"] == CONTAINER_LOG_GROUP == "/aws/eks/pingvas-shared-eks/logs"
    assert group["auto_create_group"] == "false", "the role may not make one, and CDK's has a retention"
    assert group["region"] == pipeline["s3"]["region"] == FACTS.region
    assert pipeline["s3"]["bucket"] == FACTS["buckets/pingvas-logs-shared"]
    assert pipeline["s3"]["s3_key_format"].startswith(f"/{CONTAINER_LOG_PREFIX}")
    assert "$UUID" in pipeline["s3"]["s3_key_format"], "two files of one hour would be one"
    assert {pipeline[name]["Match"] for name in ("kubernetes", "cloudwatch_logs", "s3")} == {"kube.*"}
    assert pipeline["tail"]["Tag"] == "kube.*"


def test_our_lines_become_fields_and_nobodys_is_left_out(pipeline: dict[str, dict[str, str]]) -> None:
    assert (pipeline["kubernetes"]["Merge_Log"], pipeline["kubernetes"]["Keep_Log"]) == ("On", "Off")
    assert "Merge_Log_Key" not in pipeline["kubernetes"], "request_id stays a field of its own"
    assert pipeline["kubernetes"]["K8S-Logging.Exclude"] == "Off", "a pod could take itself out of the audit"
    assert "grep" not in pipeline
    assert pipeline["modify"] == {"Name": "modify", "Match": "kube.*", "Remove": "_p"}
    assert "cri" in pipeline["tail"]["multiline.parser"]
    assert pipeline["tail"]["Exclude_Path"] == "/var/log/containers/fluent-bit-*"


def test_the_agent_writes_nothing_but_its_own_folder(chart: dict[str, Any]) -> None:
    mounts = {one["mountPath"]: one for one in chart["daemonSetVolumeMounts"]}
    paths = {one["name"]: one["hostPath"]["path"] for one in chart["daemonSetVolumes"]}
    assert mounts["/var/log"]["readOnly"] is True
    writable = [one for one in mounts.values() if not one.get("readOnly")]
    assert [paths[one["name"]] for one in writable] == ["/var/fluent-bit"]
    text = json.dumps(chart["config"])
    for path in re.findall(r"(?:DB|storage\.path|store_dir) (/\S+?)\\n", text):
        assert path.startswith("/var/fluent-bit/"), path


def test_what_waits_has_a_bound(pipeline: dict[str, dict[str, str]]) -> None:
    assert pipeline["tail"]["storage.type"] == "filesystem"
    held = int(pipeline["tail"]["Mem_Buf_Limit"].removesuffix("M"))
    limit = COMPONENTS["fluent-bit"].memory_limit_mib
    assert limit is not None and 2 * held < limit
    for output in ("cloudwatch_logs", "s3"):
        assert {"storage.total_limit_size", "store_dir_limit_size"} & set(pipeline[output])
