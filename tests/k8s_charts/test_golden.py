"""Every application as Kustomize builds it, in a file that a reviewer reads: `golden/<folder>.yaml`; gitops/ itself.

`./pingvas test tests/k8s_charts/test_golden.py --snapshot-update` writes them anew.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from k8s_charts import tree
from k8s_charts.facts import load
from k8s_charts.main import build, files
from studio.cloud.manifests.synthesis import GITOPS
from studio.home import PROJECT
from tests.support.manifests import Manifests
from tests.support.snapshots import reviewed

GOLDEN = Path(__file__).parent / "golden"
APPLICATIONS = ("overlays/", "environments/", "platform/")


def test_every_application_is_what_was_reviewed(manifests: Manifests, request: pytest.FixtureRequest) -> None:
    now = {
        f"{path.replace('/', '-')}.yaml": "---\n".join(
            yaml.safe_dump(one.body, sort_keys=False, width=110, allow_unicode=True) for one in manifests.built(path)
        )
        for path in manifests.folders()
        if path.startswith(APPLICATIONS)
    }
    reviewed(GOLDEN, now, update=request.config.getoption("--snapshot-update"), name="reviewed")


def test_what_is_committed_is_what_synthesis_gives() -> None:
    app = build(load(GITOPS), tree.tags(GITOPS))
    written, removed = tree.differences(GITOPS, files(app))
    assert (written, removed) == ([], []), "./pingvas synth --only kubernetes writes it anew"


def test_another_hash_seed_locale_clock_home_and_folder_give_the_same_bytes(tmp_path: Path) -> None:
    there = tmp_path / "gitops"
    tree.write(there, {"facts.yaml": load(GITOPS).text()})
    strange = {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Seoul", "HOME": str(tmp_path / "none")}
    subprocess.run(
        [sys.executable, "-m", "k8s_charts.main", str(there)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)} | strange,
        check=True,
        capture_output=True,
    )
    assert tree.differences(there, files(build(load(GITOPS)))) == ([], [])
