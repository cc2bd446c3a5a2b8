"""`./pingvas synth` and `./pingvas diff` through the real CDK command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from studio.cli import build, run
from studio.cloud import toolchain
from studio.cloud.revision import files_of
from studio.errors import Exit, UsageError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def invoke(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(build(), list(arguments))
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("assembly") / "saved"
    code, output = invoke("synth", "--quick", "--output", str(folder))
    assert code == Exit.OK, output
    assert "Nothing was there before" in output
    yield folder


def test_a_second_synthesis_changes_nothing(saved: Path) -> None:
    before = {path.name: path.read_bytes() for path in saved.glob("*.template.json")}
    assert len(before) >= 12
    code, output = invoke("synth", "--quick", "--output", str(saved))
    assert (code, "as before" in output) == (Exit.OK, True), output
    assert before == {path.name: path.read_bytes() for path in saved.glob("*.template.json")}


def test_diff_shows_what_a_setting_does(saved: Path) -> None:
    code, output = invoke("diff", str(saved), "-c", "nat_gateways=3", "--fail")
    assert code == Exit.FAILED, output
    assert "AWS::EC2::NatGateway" in output
    assert "Network:" in output
    code, output = invoke("diff", str(saved), "-c", "aurora_max_acu=8")
    assert code == Exit.OK, output
    assert "MaxCapacity" in output
    assert "Data:" in output
    code, output = invoke("diff", str(saved), "-c", "nat_gateways=3", "--json")
    assert code == Exit.OK
    found = json.loads(output)
    assert sum("NATGateway" in path for path in found["Network"]["added"]) == 2


def test_no_difference_is_said(saved: Path) -> None:
    code, output = invoke("diff", str(saved), "--fail")
    assert (code, output.strip()) == (Exit.OK, "No differences.")


def test_a_bad_setting_is_one_line_and_leaves_the_assembly(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (saved / "manifest.json").read_bytes()
    assert run(["synth", "--quick", "--output", str(saved), "-c", "nat_gateways=2"]) == Exit.FAILED
    told = capsys.readouterr().err
    assert "nat_gateways = 2: must be 1 (cost) or 3 (one a zone)" in told
    assert "Traceback" not in told
    assert f"{saved} was left as it was" in told
    assert (saved / "manifest.json").read_bytes() == before
    assert run(["draw", "-c", "nat_gateways=2"]) == Exit.FAILED
    assert "left as it was" not in capsys.readouterr().err, "nobody knows that folder"


def test_diff_compares_with_a_revision(saved: Path) -> None:
    with files_of("HEAD") as checkout:
        assert (checkout / "app.py").is_file()
    code, output = invoke("diff", "HEAD", "--json")
    assert code == Exit.OK, output
    json.loads(output)


def test_a_revision_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="There is no revision 'no-such-revision'"), files_of("no-such-revision"):
        pass


def test_the_whole_app_passes_the_checks(tmp_path: Path) -> None:
    """cdk-nag's AWS Solutions and CDK's own validator: no finding that is not excused beside its construct."""
    for region in ("us-east-1", "ap-northeast-2"):
        code, output = invoke("synth", "--output", str(tmp_path / region), "-c", f"region={region}")
        assert code == Exit.OK, output
        report = json.loads((tmp_path / region / "validation-report.json").read_text())
        assert {one["pluginName"] for one in report["pluginReports"]} >= {"AwsSolutions", "CloudFormation Validate"}
        assert not [found for one in report["pluginReports"] for found in one["violations"]], "warnings count too"


def test_the_tools_are_the_pinned_ones() -> None:
    toolchain.ready()
    wanted = json.loads((toolchain.PROJECT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    done = toolchain.cdk("--version", capture=True)
    assert done.stdout.split()[0] == wanted
