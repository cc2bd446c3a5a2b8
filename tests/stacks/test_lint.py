"""cfn-lint and checkov on every template, both regions: no finding that is not excused beside its resource."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from studio.cloud import toolchain
from tests.support.templates import Templates

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def files(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("templates")
    for stack, template in templates.items():
        (folder / f"{stack}.template.json").write_text(json.dumps(template, indent=1))
    return sorted(folder.iterdir())


def test_cfn_lint_finds_nothing(files: list[Path], region: str) -> None:
    command = [
        Path(sys.executable).with_name("cfn-lint"),
        "--regions",
        region,
        "--format",
        "parseable",
        "--",
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_checkov_finds_nothing(files: list[Path]) -> None:
    command = [toolchain.checkov(), "--skip-download", "--quiet", "--framework", "cloudformation", "-o", "json"]
    for file in files:
        command += ["-f", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    checked = report["summary"]
    assert checked["passed"] > 100
    assert checked["parsing_errors"] == 0
    failed = [
        f"{one['check_id']} {one['check_name']}: {one['file_path']} {one['resource']}"
        for one in report["results"]["failed_checks"]
    ]
    assert not failed, "\n".join(failed)
