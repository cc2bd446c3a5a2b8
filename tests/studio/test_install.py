"""The entry script: it makes its environment once, and says what to do where it cannot."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from studio import install
from studio.home import PROJECT

WHEEL = "demo_part-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: demo-part\nVersion: 1.0\n"
TAGS = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project like ours whose only requirement lies beside it."""
    root = tmp_path_factory.mktemp("project with spaces")
    (root / "studio").mkdir()
    shutil.copy(PROJECT / "pingvas", root)
    shutil.copy(PROJECT / "studio" / "install.py", root / "studio")
    (root / "studio" / "__init__.py").touch()
    (root / "studio" / "__main__.py").write_text(
        "import sys, os\nimport demo_part\nprint('ran', sys.argv[1:], os.getcwd())\n"
    )
    with zipfile.ZipFile(root / WHEEL, "w") as wheel:
        wheel.writestr("demo_part.py", "")
        wheel.writestr("demo_part-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("demo_part-1.0.dist-info/WHEEL", TAGS)
        wheel.writestr("demo_part-1.0.dist-info/RECORD", "demo_part.py,,\n")
    (root / "requirements").mkdir()
    (root / "requirements" / "studio.txt").write_text(f"demo-part @ {(root / WHEEL).as_uri()}\n")
    return root


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Where the caller stands: a folder with a trap of our own package's name."""
    (tmp_path / "studio").mkdir()
    (tmp_path / "studio" / "__init__.py").write_text("raise SystemExit('the wrong studio')")
    return tmp_path


def call(project: Path, where: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PINGVAS_")}
    environment |= {"PINGVAS_PYTHON": sys.executable, "PIP_NO_INDEX": "1", **more}
    return subprocess.run(
        [project / "pingvas", *arguments],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def ready(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project after two first starts at once."""
    where = tmp_path_factory.mktemp("where")
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda word: call(project, where, word), ("one", "two")))
    assert [done.returncode for done in both] == [0, 0], both
    assert {done.stdout for done in both} == {f"ran ['{word}'] {where}\n" for word in ("one", "two")}
    assert sum("Setting up Pingvas Studio" in done.stderr for done in both) == 1
    yield project


def test_a_later_start_costs_almost_nothing(ready: Path, elsewhere: Path) -> None:
    times = []
    for _ in range(5):
        began = time.monotonic()
        done = call(ready, elsewhere, "a b", "--flag")
        times.append(time.monotonic() - began)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"ran ['a b', '--flag'] {elsewhere}\n"
    assert min(times) < 0.5


def test_it_works_through_a_link(ready: Path, elsewhere: Path) -> None:
    (elsewhere / "link").symlink_to(ready / "pingvas")
    (elsewhere / "again").symlink_to("link")
    done = subprocess.run(
        [elsewhere / "again", "x"], cwd=elsewhere, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == f"ran ['x'] {elsewhere}\n", done


def test_changed_requirements_install_again(ready: Path, elsewhere: Path) -> None:
    requirements = ready / "requirements" / "studio.txt"
    before = requirements.read_text()
    try:
        requirements.write_text(before + "# changed\n")
        assert "Setting up" in call(ready, elsewhere).stderr
        assert call(ready, elsewhere).stderr == ""
    finally:
        requirements.write_text(before)
    assert call(ready, elsewhere).returncode == 0


def test_a_half_made_environment_is_made_anew(ready: Path, elsewhere: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/gone/python3")
    (venv / "pingvas.stamp").write_text("0 0\n")
    done = call(ready, elsewhere, PINGVAS_VENV=str(venv))
    assert done.returncode == 0, done
    assert (venv / "pingvas.stamp").read_text() == (ready / ".venv" / "pingvas.stamp").read_text()
    assert not (venv / "tmp").exists()


def test_a_requirement_that_cannot_be_had_is_one_message(ready: Path, elsewhere: Path, tmp_path: Path) -> None:
    requirements = ready / "requirements" / "studio.txt"
    before = requirements.read_text()
    try:
        requirements.write_text(before + "surely-no-such-package==9.9\n")
        done = call(ready, elsewhere, PINGVAS_VENV=str(ready / ".venv"))
        again = call(ready, elsewhere)
    finally:
        requirements.write_text(before)
    assert done.returncode == again.returncode == 5
    assert "surely-no-such-package" in done.stderr
    assert "pingvas-install.log" in done.stderr
    assert "Traceback" not in done.stderr
    assert call(ready, elsewhere).returncode == 0


def python_that(folder: Path, script: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def bare_path(folder: Path) -> str:
    """A PATH with what the script needs and no Python in it."""
    for name in ("cksum", "readlink"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def test_no_python_is_one_message(project: Path, elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    old = python_that(tmp_path / "bin", "exit 1")
    done = call(
        project,
        elsewhere,
        PINGVAS_PYTHON=str(old),
        PINGVAS_VENV=str(tmp_path / "venv"),
        PATH=bare_path(tmp_path / "bin"),
    )
    assert done.returncode == 5
    assert "needs Python 3.11 or newer" in done.stderr
    assert "PINGVAS_PYTHON" in done.stderr


def test_a_python_without_ensurepip_is_told_what_to_install(project: Path, elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    bare = python_that(tmp_path / "bin", 'case "$*" in *ensurepip*) exit 1 ;; esac; exit 0')
    done = call(
        project,
        elsewhere,
        PINGVAS_PYTHON=str(bare),
        PINGVAS_VENV=str(tmp_path / "venv"),
        PATH=bare_path(tmp_path / "bin"),
    )
    assert done.returncode == 5
    assert "apt install python3-venv" in done.stderr


def test_a_place_that_cannot_be_written_is_one_message(project: Path, elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call(project, elsewhere, PINGVAS_VENV=str(tmp_path / "file" / "venv"))
    assert done.returncode == 5
    assert "PINGVAS_VENV" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_was_fetched_is_counted_while_it_comes_and_goes(tmp_path: Path) -> None:
    (tmp_path / "pip-unpack" / "deep").mkdir(parents=True)
    (tmp_path / "pip-unpack" / "deep" / "a.whl").write_bytes(bytes(3_000_000))
    (tmp_path / "gone.whl").symlink_to(tmp_path / "nowhere")
    assert install._megabytes(tmp_path) == 3
    assert install._megabytes(tmp_path / "pip-that-is-gone") == 0
