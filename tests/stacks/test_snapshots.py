"""Every stack in both regions as a file that a reviewer reads: `snapshots/<region>/<stack>.yaml`.

`./pingvas test tests/stacks/test_snapshots.py --snapshot-update` writes them anew.
"""

import difflib
import re
from pathlib import Path

import pytest

from tests.support.snapshots import readable
from tests.support.templates import Templates

SNAPSHOTS = Path(__file__).parent / "snapshots"
SHOWN_LINES = 60


def test_every_stack_is_what_was_reviewed(templates: Templates, region: str, request: pytest.FixtureRequest) -> None:
    folder = SNAPSHOTS / region
    now = {f"{stack}.yaml": readable(template, stack) for stack, template in templates.items()}
    if request.config.getoption("--snapshot-update"):
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, text in now.items():
            (folder / name).write_text(text)
    reviewed = {path.name: path.read_text() for path in folder.glob("*.yaml")}
    lines: list[str] = []
    for name in sorted({*reviewed, *now}):
        before, after = (one.get(name, "").splitlines() for one in (reviewed, now))
        lines += difflib.unified_diff(before, after, f"reviewed/{region}/{name}", "synthesized", n=2, lineterm="")
    if lines:
        more = f"\n... {len(lines) - SHOWN_LINES} lines more" if len(lines) > SHOWN_LINES else ""
        pytest.fail("\n".join(lines[:SHOWN_LINES]) + more, pytrace=False)


def test_no_snapshot_knows_an_account_or_a_generated_name() -> None:
    text = "\n".join(path.read_text() for path in SNAPSHOTS.rglob("*.yaml"))
    assert not re.search(r"\b\d{12}\b|\b[0-9a-f]{64}\b", text)
    for word in ("BEGIN PRIVATE", "BEGIN RSA", "aws:cdk:path", "AKIA"):
        assert word not in text
