"""The cold start: its parts add up, its disks are EC2's, and its choice is what nodes are made of."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import moto
import pytest
import yaml

from blueprint import cold_start
from blueprint.cold_start import COLD_START, DISKS, MEASURED_PULL, NODE_CONFIG, fast_restore_dollars
from blueprint.node_classes import GPU_CLASS
from blueprint.pools import GPU
from blueprint.rules import RuleError
from blueprint.worker import WORKER
from k8s_charts import worker
from k8s_charts.facts import placeholders
from k8s_charts.folder import GitOps
from tests.support.manifests import Manifests

EC2 = Path(moto.__file__).parent / "ec2" / "resources" / "instance_types.json.gz"
MONTHLY_TOTAL = 1249.37
"""The final document's, in dollars."""


def test_what_is_said_of_disks_is_what_ec2_says() -> None:
    described = json.loads(gzip.decompress(EC2.read_bytes()))
    assert set(DISKS) == {one.name for one in GPU.types}
    for name, disks in DISKS.items():
        assert disks.store_gb == described[name]["InstanceStorageInfo"]["TotalSizeInGB"]
        assert disks.ebs_mb_s == described[name]["EbsInfo"]["EbsOptimizedInfo"]["MaximumThroughputInMBps"]


def test_the_parts_stay_within_the_budget_and_the_pull_is_what_the_choice_saves() -> None:
    plain = replace(COLD_START, cache="none", raid0=False)
    assert COLD_START.total == sum(one.seconds for one in COLD_START.steps) <= COLD_START.seconds
    assert plain.total - COLD_START.total == plain.pull_seconds - COLD_START.pull_seconds
    assert COLD_START.pull_seconds * 3 <= plain.pull_seconds
    assert all(one.source for one in COLD_START.steps)


def test_one_large_layer_undoes_the_choice() -> None:
    assert replace(COLD_START, layer_gb=4.74).pull_seconds > MEASURED_PULL["none"]


def test_snapshots_restored_fast_would_cost_more_than_the_whole_platform() -> None:
    assert fast_restore_dollars() > MONTHLY_TOTAL


def test_nodes_are_made_of_the_choice(manifests: Manifests) -> None:
    spec = manifests.one("EC2NodeClass", GPU_CLASS.name).body["spec"]
    assert COLD_START.cache == "soci"
    assert spec["instanceStorePolicy"] == "RAID0"
    assert yaml.safe_load(spec["userData"]) == NODE_CONFIG
    assert not any("snapshotID" in one["ebs"] for one in spec["blockDeviceMappings"])


def test_images_and_scratch_fit_the_smallest_disk() -> None:
    unpacked = 3 * COLD_START.image_gb
    assert unpacked + WORKER.scratch_mib * 1.05e-3 < 0.5 * min(one.store_gb for one in DISKS.values())


@pytest.mark.parametrize(
    ("changes", "setting", "said"),
    [
        ({"cache": "snapshot"}, "cold_start.raid0", "choose one"),
        ({"raid0": False}, "cold_start.raid0", "EBS"),
        ({"layer_gb": 0.0}, "cold_start.layer_gb", "above 0"),
        ({"layer_gb": 20.0}, "cold_start.layer_gb", "image"),
        ({"model_read_mb_s": 0}, "cold_start.model_read_mb_s", "above 0"),
        ({"seconds": 200}, "cold_start.seconds", "add up"),
        ({"image_gb": 40.0}, "cold_start.seconds", "add up"),
    ],
)
def test_a_choice_that_defeats_itself_stops_synthesis(
    changes: dict[str, object], setting: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = replace(COLD_START, **changes)  # type: ignore[arg-type]
    monkeypatch.setattr(cold_start.check, "__defaults__", (chosen, GPU))
    with pytest.raises(RuleError, match=said) as stopped:
        worker.add(GitOps(placeholders()))
    assert stopped.value.setting == setting
