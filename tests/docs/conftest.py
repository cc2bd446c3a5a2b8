"""A folder in which the lines of the pages run as they stand, and a studio for those that need one."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.home import PROJECT
from studio.processes import free_port

Run = Callable[[str], "subprocess.CompletedProcess[str]"]
PROGRAM = '#!/bin/sh\nexec "{python}" -P -m studio "$@"\n'
SECONDS = 150


class Desk:
    """A folder with a `./pingvas` that is this checkout's, whose data lie in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o711)
        program = folder / "pingvas"
        program.write_text(PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "PINGVAS_HOME": str(folder / "home"),
            "NO_COLOR": "1",
        }

    def run(self, text: str) -> "subprocess.CompletedProcess[str]":
        """Runs shell lines; the first that fails ends them."""
        command = ["sh", "-euc", text]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


@pytest.fixture
def desk(place: Path) -> Desk:
    return Desk(place / secrets.token_hex(4))


@pytest.fixture
def studio_desk(desk: Desk) -> Iterator[tuple[Desk, str]]:
    """A desk whose studio runs, and its address."""
    port = free_port()
    begun = desk.run(f"./pingvas up --detach --port {port}")
    assert begun.returncode == 0, begun.stderr
    yield desk, f"http://127.0.0.1:{port}"
    ended = desk.run("./pingvas down")
    assert ended.returncode == 0, ended.stderr
