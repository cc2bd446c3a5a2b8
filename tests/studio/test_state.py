"""One studio a data folder, and `running` tells the truth whatever was killed."""

import json
import os
import subprocess
import sys
import time

import pytest

from studio.errors import BusyError
from studio.home import PROJECT, Home
from studio.state import Lock, State, running, wait_gone

HOLDER = """
import os, sys, time
from pathlib import Path
from studio.home import Home
from studio.state import Lock, State
home = Home(Path(sys.argv[1]))
with Lock(home):
    State(os.getpid(), "http://127.0.0.1:1", time.time(), ready=True).write(home)
    print("held", flush=True)
    time.sleep(60)
"""


def test_nothing_runs_in_a_fresh_folder(home: Home) -> None:
    assert running(home) is None


def test_the_second_is_told_who_the_first_is(home: Home) -> None:
    with Lock(home):
        State(os.getpid(), "http://127.0.0.1:8000", time.time(), ready=True).write(home)
        with pytest.raises(BusyError) as caught, Lock(home):
            pass
        assert caught.value.message.startswith(f"already running at http://127.0.0.1:8000 (pid {os.getpid()})")
        state = running(home)
        assert state is not None
        assert state.pid == os.getpid()
    assert running(home) is None


def test_a_killed_holder_holds_nothing(home: Home) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", HOLDER, str(home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert running(home) is not None
        assert not wait_gone(home, 0.1)
        holder.kill()
    assert json.loads((home.run / "studio.json").read_text())["ready"] is True
    assert running(home) is None
    with Lock(home):
        state = running(home)
        assert state is not None
        assert not state.ready, "what the killed one said of itself is not true of this one"
