"""The cloud's tools: made once, again when their list changes, and whole or not at all."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from blueprint.cluster import VERSION
from studio import install
from studio.cloud import toolchain
from studio.errors import SetupError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "list.txt"
    path.write_text("one==1\n")
    return path


def test_a_tool_is_made_once_and_again_when_its_list_changes(tmp_path: Path, source: Path) -> None:
    made: list[str] = []
    target = tmp_path / "tool"

    def make() -> None:
        (target / "program").write_text(source.read_text())
        made.append(source.read_text())

    for _ in range(3):
        toolchain._once(target, source, "a tool", make)
    source.write_text("one==2\n")
    toolchain._once(target, source, "a tool", make)
    assert made == ["one==1\n", "one==2\n"]
    assert (target / "program").read_text() == "one==2\n"


def test_the_clock_goes_on_from_tool_to_tool(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toolchain, "_BEGUN", time.monotonic() - 70)
    toolchain._once(tmp_path / "tool", source, "a tool", lambda: None)
    assert "1:10  installing a tool" in capsys.readouterr().err


def test_two_at_once_make_it_once(tmp_path: Path, source: Path) -> None:
    made: list[int] = []
    with ThreadPoolExecutor(4) as threads:
        list(
            threads.map(
                lambda number: toolchain._once(tmp_path / "tool", source, "a tool", lambda: made.append(number)),
                range(4),
            )
        )
    assert len(made) == 1


def test_what_failed_is_made_anew(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "tool"

    def fail() -> None:
        (target / "half").touch()
        raise SetupError("no network")

    with pytest.raises(SetupError, match="no network"):
        toolchain._once(target, source, "a tool", fail)
    toolchain._once(target, source, "a tool", lambda: None)
    assert not (target / "half").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="cannot install a tool"):
        toolchain._once(tmp_path / "file" / "tool", source, "a tool", lambda: None)


def test_an_index_that_cannot_be_reached_is_said_in_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise install.InstallError("installing failed: no index")

    monkeypatch.setattr(install, "install", refuse)
    with pytest.raises(SetupError, match="no index"):
        toolchain._pip(Path("python"), Path("requirements.txt"), tmp_path, install.Progress(sys.stderr))


def test_cdk_runs_with_this_python_and_its_own_node() -> None:
    environment = toolchain.environment({"MORE": "1"})
    first, second, *_ = environment["PATH"].split(":")
    assert (Path(first), Path(second)) == (toolchain.VENV / "bin", toolchain.node().parent)
    assert environment["MORE"] == "1"
    done = subprocess.run([toolchain.node(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("v24.")


def test_kubectl_is_of_the_clusters_version_and_helm_runs() -> None:
    toolchain.ready()
    told = subprocess.run([toolchain.kubectl(), "version", "--client"], capture_output=True, text=True, check=True)
    assert f"Client Version: v{VERSION}." in told.stdout
    told = subprocess.run([toolchain.helm(), "version", "--short"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("v")
