"""A studio without a terminal: started for a command that needs one, stopped from another."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

from blueprint.services import GATEWAY_PORT, SERVICES
from studio.errors import Exit, SetupError, StudioError
from studio.home import FREE_BYTES, PROJECT, Home
from studio.logfile import ENDED, last_lines
from studio.processes import Children, port_free, tail
from studio.state import State, running, wait_gone, wait_ready

START_SECONDS = 300
STOP_SECONDS = 60
_NEARBY = 50
_TRIES = 3
_NAME_SECONDS = 2.0


def start(home: Home, *, port: int, workers: int = 1) -> State:
    """Starts a studio that outlives this process and waits until it is ready.

    Raises StudioError, with the exit code and the words of the studio that did not start.
    """
    home.prepare()
    errors = home.logs / f"start-{os.getpid()}.log"
    command = [sys.executable, "-P", "-m", "studio", "up", "--port", str(port), "--workers", str(workers), "--quiet"]
    try:
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
            if state is not None and state.ready and state.pid == process.pid:
                return state
            if code is not None:
                raise _failed(code, tail(errors, 8))
            time.sleep(0.05)
    finally:
        # What the studio has to say once it is ready stands in its log.
        errors.unlink(missing_ok=True)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    raise _slow()


def join(home: Home) -> State:
    """The studio of this folder: the one that runs, the one that another command is starting, or a new one.

    Raises StudioError as `start` does.
    """
    for left in reversed(range(_TRIES)):
        state = wait_ready(home, START_SECONDS)
        if state is not None:
            return state
        if running(home) is not None:
            raise _slow()
        try:
            return start(home, port=choose_port())
        except StudioError as error:
            # Somebody else was quicker: with this folder, or with that port.
            if error.code is not Exit.BUSY or not left:
                raise
    raise AssertionError("the last try returns or raises")


def choose_port() -> int:
    """The usual port, or the next free one above it that is not a service's own."""
    taken = {service.port for service in SERVICES.values()}
    nearby = (port for port in range(GATEWAY_PORT, GATEWAY_PORT + _NEARBY) if port not in taken)
    return next((port for port in nearby if port_free(port)), GATEWAY_PORT)


def why_ended(home: Home) -> str:
    """Why the studio that ran here is gone, as far as disk and log tell; empty when they do not."""
    with suppress(OSError):
        free = shutil.disk_usage(home.root).free
        if free < FREE_BYTES:
            return f"the disk of {home.root} is full ({free // 1024**2} MB free)"
        for line in reversed(last_lines(home.logs / "studio.log", "studio", 4)):
            _, mark, reason = line.partition(ENDED)
            if mark:
                return reason
    return ""


def stop(home: Home) -> State | None:
    """Ends the studio of this folder and all it started; returns what was running, or None."""
    state = _named(home)
    if state is None:
        if home.run.is_dir():
            Children(home.run / "children.json").end_leftovers()
        return None
    _signal(state, signal.SIGTERM)
    if not wait_gone(home, STOP_SECONDS):
        _signal(running(home) or state, signal.SIGKILL)
        wait_gone(home, 5)
        Children(home.run / "children.json").end_leftovers()
    return state


def _named(home: Home) -> State | None:
    """The studio that runs here; one that has just begun gets a moment to say who it is."""
    end = time.monotonic() + _NAME_SECONDS
    while (state := running(home)) is not None and not state.pid and time.monotonic() < end:
        time.sleep(0.02)
    return state


def _signal(state: State, number: signal.Signals) -> None:
    # Without a process id it has just begun and not yet said who it is; 0 would be this command's own group.
    if state.pid:
        with suppress(ProcessLookupError):
            os.kill(state.pid, number)


def _slow() -> SetupError:
    return SetupError(f"The studio was not ready within {START_SECONDS} s.", advice="`./pingvas logs` says more.")


def _failed(code: int, words: str) -> StudioError:
    error = StudioError(words.removeprefix("pingvas: ") or f"The studio ended with exit code {code} while it started.")
    error.code = Exit(code) if code in Exit.__members__.values() else Exit.FAILED
    return error
