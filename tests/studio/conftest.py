"""Small things that several tests of the studio need."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.home import PROJECT, Home
from studio.postgres import Postgres
from studio.processes import free_port

FAST = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture
def root(place: Path) -> Iterator[Path]:
    """An empty folder of the test's own that `nobody` can walk to."""
    folder = place / secrets.token_hex(4)
    folder.mkdir(mode=0o711)
    yield folder


@pytest.fixture
def home(root: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A data folder of the test's own, named to everything by PINGVAS_HOME."""
    monkeypatch.setenv("PINGVAS_HOME", str(root / "home"))
    return Home(root / "home").prepare()


@pytest.fixture
def cluster(root: Path) -> Iterator[Callable[[], Postgres]]:
    """Makes servers on one and the same data folder, as one studio after another does."""
    made: list[Postgres] = []
    password = secrets.token_hex(8)

    def make() -> Postgres:
        server = Postgres(
            root / "postgres", port=free_port(), password=password, log=root / "postgres.log", settings=FAST
        )
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


def studio(*arguments: str, home: Path, timeout: float = 150, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command line of the studio in a process of its own."""
    environment = {**os.environ, "PINGVAS_HOME": str(home), "PYTHONPATH": str(PROJECT), "NO_COLOR": "1", **more}
    command = [sys.executable, "-P", "-m", "studio", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=timeout, check=False, cwd="/"
    )


def interruptible() -> None:
    """Before a child starts: whoever runs the tests in the background has SIGINT ignored, and children inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def eventually(true: Callable[[], object], timeout: float = 10) -> bool:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False
