"""Every stack in both regions as a file that a reviewer reads: `snapshots/<region>/<stack>.yaml`.

`./pingvas test tests/stacks/test_snapshots.py --snapshot-update` writes them anew.
"""

import re
from pathlib import Path

import pytest

from tests.support.snapshots import readable, reviewed
from tests.support.templates import Templates

SNAPSHOTS = Path(__file__).parent / "snapshots"


def test_every_stack_is_what_was_reviewed(templates: Templates, region: str, request: pytest.FixtureRequest) -> None:
    folder = SNAPSHOTS / region
    now = {f"{stack}.yaml": readable(template, stack) for stack, template in templates.items()}
    reviewed(folder, now, update=request.config.getoption("--snapshot-update"), name=f"reviewed/{region}")


def test_no_snapshot_knows_an_account_or_a_generated_name() -> None:
    text = "\n".join(path.read_text() for path in SNAPSHOTS.rglob("*.yaml"))
    assert not re.search(r"\b\d{12}\b|\b[0-9a-f]{64}\b", text)
    for word in ("BEGIN PRIVATE", "BEGIN RSA", "aws:cdk:path", "AKIA"):
        assert word not in text
