"""The data folder: where it is, who may read it, and what happens when it cannot be written."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import Exit, SetupError
from studio.home import PROJECT, Home, find_home, read_json, write_json


def test_the_variable_decides_where_the_data_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PINGVAS_HOME", str(tmp_path / "there"))
    assert find_home().root == tmp_path / "there"
    monkeypatch.delenv("PINGVAS_HOME")
    assert find_home().root == PROJECT / ".data"


def test_nobody_else_can_read_it(home: Home) -> None:
    assert home.root.stat().st_mode & 0o077 in (0o000, 0o011)
    home.secrets()
    assert stat.S_IMODE((home.root / "secrets.json").stat().st_mode) == 0o600
    for folder in (home.images, home.logs, home.run, home.valkey):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_secrets_are_made_once_and_differ(home: Home, tmp_path: Path) -> None:
    first = home.secrets()
    assert first == home.secrets()
    assert len(set(first.values())) == len(first)
    assert all(len(value) >= 32 for value in first.values())
    assert Home(tmp_path / "other").prepare().secrets()["jwt"] != first["jwt"]


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    (tmp_path / "mine" / "letter").touch()
    Home(tmp_path / "mine").prepare()
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o755


def test_delete_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()
    home = Home(tmp_path).prepare()
    home.secrets()
    home.delete()
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError) as caught:
        Home(tmp_path / "file" / "home").prepare()
    assert "Cannot use the data folder" in caught.value.message
    assert "PINGVAS_HOME" in caught.value.advice
    assert caught.value.code == Exit.SETUP


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_named_as_such(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from studio.home import Home; from studio.errors import StudioError\n"
        f"try: Home(Path({str(tmp_path)!r}) / 'home').prepare()\n"
        "except StudioError as error: print(int(error.code), error.message)\n"
    )
    shell = f'mount -t tmpfs -o size=1m none {tmp_path} && exec {sys.executable} -c "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", shell, "sh", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this machine lets nobody mount")
    assert done.stdout.startswith("5 The disk of the data folder"), done
    assert "full" in done.stdout


def test_a_file_that_was_cut_short_reads_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    path.write_text('{"a": ')
    assert read_json(path) == {}
