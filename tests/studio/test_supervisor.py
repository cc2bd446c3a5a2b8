"""The supervisor restarts what dies, passes lines on, and ends everything within its bound."""

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import supervisor as module
from studio.console import Log
from studio.postgres import Postgres
from studio.processes import Children, free_port
from studio.supervisor import Program, Supervisor
from tests.studio.conftest import FAST, eventually


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(tmp_path: Path, lines: io.StringIO) -> Iterator[Supervisor]:
    log = Log(tmp_path / "studio.log", lines)
    made = Supervisor(log, Children(tmp_path / "children.json"))
    yield made
    made.stop()
    log.close()


def program(name: str, script: str, stop_seconds: float = 5) -> Program:
    return Program(name, [sys.executable, "-c", script], {**os.environ, "PYTHONUNBUFFERED": "1"}, stop_seconds)


def test_lines_carry_the_name_of_who_wrote_them(supervisor: Supervisor, lines: io.StringIO, tmp_path: Path) -> None:
    supervisor.start(program("painter", "print('hello'); print('last without end', end='')"))
    assert eventually(lambda: "last without end" in lines.getvalue())
    assert "painter   | hello\n" in lines.getvalue()
    assert " painter   hello\n" in (tmp_path / "studio.log").read_text()


def test_what_dies_is_started_again_with_a_growing_pause(
    supervisor: Supervisor, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", (0.05, 0.1, 0.2))
    supervisor.start(program("painter", "import os; print('born', os.getpid()); raise SystemExit(3)"))
    end = time.monotonic() + 10
    while lines.getvalue().count("born") < 4 and time.monotonic() < end:
        supervisor.check()
        time.sleep(0.01)
    text = lines.getvalue()
    assert text.count("born") >= 4
    assert "painter ended with exit code 3; starting it again in 0.1 s" in text
    assert "again in 0.2 s" in text


def test_a_killed_one_is_named_with_its_signal(
    supervisor: Supervisor, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", (0.05,))
    supervisor.start(program("painter", "import time; time.sleep(60)"))
    pids = Children(tmp_path / "children.json").pids
    os.kill(pids["painter"], signal.SIGKILL)
    assert eventually(lambda: not supervisor.alive("painter"))
    supervisor.check()
    assert "painter was killed by SIGKILL" in lines.getvalue()
    assert Children(tmp_path / "children.json").pids == {}
    time.sleep(0.1)
    supervisor.check()
    assert Children(tmp_path / "children.json").pids["painter"] != pids["painter"]


def test_the_end_is_bounded_even_for_the_stubborn(supervisor: Supervisor, lines: io.StringIO, tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)"
    supervisor.start(program("stubborn", stubborn, stop_seconds=0.5))
    supervisor.start(program("polite", "import time; print('up'); time.sleep(60)", stop_seconds=30))
    assert eventually(lambda: lines.getvalue().count("up") == 2)
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 5
    assert "stubborn did not end within" in lines.getvalue()
    assert "polite did not end" not in lines.getvalue()
    assert Children(tmp_path / "children.json").pids == {}


def test_a_server_that_dies_comes_back(supervisor: Supervisor, lines: io.StringIO, root: Path) -> None:
    server = Postgres(root / "postgres", port=free_port(), password="word", log=root / "postgres.log", settings=FAST)
    server.start()
    supervisor.serve("postgres", server)
    assert server.process is not None
    first = server.process.pid
    os.kill(first, signal.SIGQUIT)
    server.process.wait(10)
    supervisor.check()
    assert server.process is not None
    assert server.process.pid != first
    assert "postgres is back" in lines.getvalue()
