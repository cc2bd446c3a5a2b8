"""The studio's log: one line each, rotated by size, read back by part and followed across rotations."""

import io
import threading
from pathlib import Path

import pytest

from studio import console, logfile
from studio.console import Log, readable, trim
from studio.logfile import last_lines, new_lines
from tests.studio.conftest import eventually


def test_the_last_lines_of_one_part(tmp_path: Path) -> None:
    log = Log(tmp_path / "studio.log")
    for number in range(10):
        log.write("worker-2" if number % 2 else "services", f"line {number} of worker")
    log.close()
    assert [line.rsplit("line ", 1)[1] for line in last_lines(log.path, "worker", 2)] == ["7 of worker", "9 of worker"]
    assert len(last_lines(log.path, None, 50)) == 10
    assert last_lines(log.path, "nobody", 50) == []


def test_it_rotates_by_size_and_keeps_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "ROTATE_BYTES", 2_000)
    log = Log(tmp_path / "studio.log")
    for number in range(500):
        log.write("services", f"line {number}")
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["studio.log", "studio.log.1", "studio.log.2", "studio.log.3"]
    assert all(path.stat().st_size <= 2_100 for path in tmp_path.iterdir())
    assert last_lines(log.path, None, 1)[0].endswith("line 499")


def test_following_misses_no_line_when_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "ROTATE_BYTES", 1_000)
    monkeypatch.setattr(logfile, "POLL_SECONDS", 0.01)
    log = Log(tmp_path / "studio.log")
    log.write("services", "before")
    seen: list[str] = []

    def follow() -> None:
        for line in new_lines(log.path, None):
            seen.append(line.rsplit(" ", 1)[1])
            if seen[-1] == "end":
                return

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    assert eventually(reader.is_alive)
    threading.Event().wait(0.1)
    for number in range(60):
        log.write("services", str(number))
        assert eventually(lambda expected=str(number): expected in seen, 5)
    log.write("services", "end")
    reader.join(5)
    assert seen == [*map(str, range(60)), "end"]
    log.close()


def test_a_terminal_that_is_gone_does_not_stop_it(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = Log(tmp_path / "studio.log", stream)
    stream.close()
    log.say("still here")
    log.close()
    assert "still here" in log.path.read_text()


def test_a_server_s_own_log_is_cut_while_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "ROTATE_BYTES", 10)
    path = tmp_path / "postgres.log"
    with path.open("ab") as server:
        server.write(b"a long first line\n")
        server.flush()
        trim(path)
        server.write(b"second\n")
    assert path.read_text() == "second\n"
    assert path.with_name("postgres.log.1").read_text() == "a long first line\n"


def test_a_child_s_line_loses_its_own_time_but_never_its_level() -> None:
    assert readable("2026-11-22T00:52:43.618394Z [info     ] ready name=x") == "ready name=x"
    assert readable("2026-11-22T00:52:43.618394Z [error    ] bad [info] x") == "ERROR bad [info] x"
    assert readable('{"event": "json stays"}') == '{"event": "json stays"}'
