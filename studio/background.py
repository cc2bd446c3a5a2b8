"""A studio without a terminal: started for a command that needs one, stopped from another."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from blueprint.services import GATEWAY_PORT
from studio.errors import Exit, SetupError, StudioError
from studio.home import PROJECT, Home
from studio.processes import Children, port_free, tail
from studio.state import State, running, wait_gone

START_SECONDS = 300
STOP_SECONDS = 60
_NEARBY = 50


def start(home: Home, *, port: int, workers: int = 1) -> State:
    """Starts a studio that outlives this process and waits until it is ready.

    Raises StudioError, with the exit code and the words of the studio that did not start.
    """
    home.prepare()
    errors = home.logs / "start.log"
    command = [sys.executable, "-P", "-m", "studio", "up", "--port", str(port), "--workers", str(workers), "--quiet"]
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            cwd=home.root,
            env={**os.environ, "PYTHONPATH": str(PROJECT), "PINGVAS_HOME": str(home.root), "NO_COLOR": "1"},
            start_new_session=True,
        )
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        code = process.poll()
        state = running(home)
        if state is not None and state.ready:
            return state
        if code is not None:
            raise _failed(code, tail(errors, 8))
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    raise SetupError(f"The studio was not ready within {START_SECONDS} s.", advice="`./pingvas logs` says more.")


def choose_port() -> int:
    """The usual port, or the next free one above it."""
    return next((port for port in range(GATEWAY_PORT, GATEWAY_PORT + _NEARBY) if port_free(port)), GATEWAY_PORT)


def stop(home: Home) -> State | None:
    """Ends the studio of this folder and all it started; returns what was running, or None."""
    state = running(home)
    if state is None:
        if home.run.is_dir():
            Children(home.run / "children.json").end_leftovers()
        return None
    with suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGTERM)
    if not wait_gone(home, STOP_SECONDS):
        with suppress(ProcessLookupError):
            os.kill(state.pid, signal.SIGKILL)
        wait_gone(home, 5)
        Children(home.run / "children.json").end_leftovers()
    return state


def _failed(code: int, words: str) -> StudioError:
    error = StudioError(words.removeprefix("pingvas: ") or f"The studio ended with exit code {code} while it started.")
    error.code = Exit(code) if code in Exit.__members__.values() else Exit.FAILED
    return error
