"""`./pingvas cost`: tables and JSON of the estimate, settings, and the comparison with another revision."""

import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from blueprint.cost import estimate
from studio.cli import run
from studio.cloud.cost import Difference, at_revision, differences, estimate_of
from studio.errors import Exit, StudioError, UsageError
from studio.home import PROJECT

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.setenv("NO_COLOR", "1")


def git(folder: Path, *arguments: str) -> str:
    """Git with nothing of the caller's own configuration."""
    person = {
        f"GIT_{role}_{what}": "test@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **person}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four revisions: `old` has no estimate, `three-nat` another default, `broken` fails, `now` is this blueprint."""
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "blueprint").mkdir()
    (folder / "blueprint" / "__init__.py").touch()

    def commit(tag: str) -> None:
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", tag)
        git(folder, "tag", tag)

    commit("old")
    shutil.copytree(PROJECT / "blueprint", folder / "blueprint", dirs_exist_ok=True)
    platform = folder / "blueprint" / "costs" / "platform.py"
    text = platform.read_text()
    platform.write_text(text.replace("nat_gateways: int = 1", "nat_gateways: int = 3"))
    assert platform.read_text() != text
    commit("three-nat")
    platform.write_text("raise RuntimeError('no estimate today')\n")
    commit("broken")
    platform.write_text(text)
    commit("now")
    return folder


def test_the_tables_show_the_documents_total_and_the_platforms(capsys: Captured) -> None:
    assert run(["cost"]) == Exit.OK
    out = capsys.readouterr().out
    found = estimate()
    for words in (
        "1,249.37",
        f"{found.covered:,.2f}",
        f"{found.total:,.2f}",
        "Not in the document",
        "published by others",
    ):
        assert words in out
    for one in found.comparisons:
        line = next((line for line in out.splitlines() if line.strip().startswith(one.row.service + " ")), None)
        assert line is not None, one.row.service
        assert f"{one.row.amount:,.2f}" in line


def test_by_stack_adds_up(capsys: Captured) -> None:
    assert run(["cost", "--by", "stack"]) == Exit.OK
    out = capsys.readouterr().out
    for stack, amount in estimate().stacks.items():
        assert any(line.split()[:2] == [stack, f"{amount:,.2f}"] for line in out.splitlines())


def test_json_is_the_estimates_own(capsys: Captured) -> None:
    assert run(["cost", "--json", "--region", "ap-northeast-2"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == estimate(region="ap-northeast-2").as_json()


def test_settings_change_the_estimate(capsys: Captured) -> None:
    plain = estimate_of((), None)
    three = estimate_of(("nat_gateways=3", "interface_endpoints=true"), None)
    found = {one.key: one.change for one in differences(plain.as_json(), three.as_json())}
    assert found == {"nat": Decimal("65.70"), "addresses": Decimal("7.30"), "endpoints": Decimal("109.50")}
    assert estimate_of(("aurora_min_acu=2",), None).total > plain.total
    assert estimate_of(("system_architecture=arm64",), None).total < plain.total
    assert estimate_of(("region=ap-northeast-2",), None).region == "ap-northeast-2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-c", "nat_gateways=2"], "must be 1 (cost) or 3"),
        (["-c", "nat_gatways=3"], "no setting nat_gatways. docs/architecture/aws.md"),
        (["-c", "nat_gateways"], "a setting is name=value"),
        (["--region", "eu-west-1"], "eu-west-1"),
        (["--by", "weekday"], "weekday"),
        (["--against", "no-such-revision"], "no revision 'no-such-revision'"),
        (["--against", "--output=/tmp/x"], "no revision"),
    ],
)
def test_wrong_usage_is_one_message(arguments: list[str], words: str, capsys: Captured) -> None:
    assert run(["cost", *arguments]) == Exit.USAGE
    captured = capsys.readouterr()
    assert words in " ".join(captured.err.split())
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_against_a_revision_tells_what_moved(repository: Path) -> None:
    now = estimate().as_json()
    found = differences(at_revision("three-nat", "us-east-1", project=repository), now)
    assert {one.key: one.change for one in found} == {"nat": Decimal("-65.70"), "addresses": Decimal("-7.30")}
    assert differences(at_revision("now", "us-east-1", project=repository), now) == []
    assert at_revision("now", "ap-northeast-2", project=repository) == estimate(region="ap-northeast-2").as_json()
    assert git(repository, "status", "--porcelain") == ""


def test_a_revision_that_cannot_be_asked_says_so(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'old' has no estimate"):
        at_revision("old", "us-east-1", project=repository)
    with pytest.raises(UsageError, match=r"no revision 'HEAD~99'"):
        at_revision("HEAD~99", "us-east-1", project=repository)
    with pytest.raises(StudioError, match=r"'broken' fails: RuntimeError: no estimate today"):
        at_revision("broken", "us-east-1", project=repository)
    with pytest.raises(UsageError, match="no revision"):
        at_revision("HEAD", "us-east-1", project=tmp_path)


def test_the_differences_are_a_table_or_json(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    import studio.cloud.cost as module

    asked = at_revision("three-nat", "us-east-1", project=repository)
    monkeypatch.setattr(module, "at_revision", lambda revision, region: asked)
    assert run(["cost", "--against", "three-nat"]) == Exit.OK
    out = capsys.readouterr().out
    assert "-65.70" in out
    assert "-73.00" in out
    assert "EKS" not in out
    assert run(["cost", "--against", "three-nat", "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert [one["key"] for one in told["differences"]] == ["nat", "addresses"]
    assert told["differences"][0]["change"] == "-65.70"


def test_what_came_and_what_went_is_told() -> None:
    def line(key: str, amount: str) -> dict[str, str]:
        return {"key": key, "service": key.title(), "stack": "Data", "what": "", "amount": amount}

    before = {"lines": [line("gone", "3.00"), line("same", "1.00")]}
    now = {"lines": [line("same", "1.00"), line("new", "2.00")]}
    assert differences(before, now) == [
        Difference("new", "New", "Data", "", Decimal(0), Decimal("2.00")),
        Difference("gone", "Gone", "Data", "", Decimal("3.00"), Decimal(0)),
    ]
