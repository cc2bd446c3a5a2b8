"""Keeps the studio's processes running: starts them, passes their lines on, starts them again, ends them in order."""

import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from studio.console import Log, readable, trim
from studio.errors import StudioError
from studio.processes import Children, kill_group, spawn, stop

BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_SECONDS = 5.0
"""A child that lived this long counts as healthy: its next restart is quick again."""
TRIM_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class Program:
    """A process of our own. It gets SIGTERM to end, and SIGKILL after `stop_seconds`."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    stop_seconds: float = 20.0


class Server(Protocol):
    """PostgreSQL or Valkey: processes that know themselves how to start and end."""

    process: subprocess.Popen[bytes] | None

    def launch(self) -> None: ...
    def wait_ready(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    reader: threading.Thread
    started: float
    failures: int = 0
    due: float | None = None
    """When to start it again; None while it runs."""


@dataclass(slots=True)
class Supervisor:
    """Every method belongs to the main thread: children end with the thread that started them."""

    log: Log
    children: Children
    logs: Sequence[Path] = ()
    _servers: dict[str, Server] = field(default_factory=dict)
    _programs: dict[str, _Child] = field(default_factory=dict)
    _trimmed: float = field(default_factory=time.monotonic)

    def serve(self, name: str, server: Server) -> None:
        """Takes over a server that has been launched."""
        self._servers[name] = server
        if server.process is not None:
            self.children.add(name, server.process.pid)

    def start(self, program: Program) -> None:
        self._programs[program.name] = self._spawn(program)

    def alive(self, name: str) -> bool:
        child = self._programs.get(name)
        return child is not None and child.process.poll() is None

    def ended(self, name: str) -> int | None:
        """The exit code of a program that is not running, or None."""
        child = self._programs.get(name)
        return None if child is None else child.process.poll()

    def check(self) -> None:
        """Starts again what has died, each with its own growing pause. Call it a few times a second."""
        for name, server in self._servers.items():
            if server.process is not None and server.process.poll() is not None:
                self._restart_server(name, server)
        now = time.monotonic()
        for child in self._programs.values():
            if child.due is None and child.process.poll() is not None:
                self._mourn(child, now)
            elif child.due is not None and now >= child.due:
                self._programs[child.program.name] = self._spawn(child.program, failures=child.failures)
        if now - self._trimmed > TRIM_EVERY:
            self._trimmed = now
            for path in self.logs:
                trim(path)

    def stop(self) -> None:
        """Ends the programs, all at once, and then the servers, each within its bound."""
        living = [child for child in self._programs.values() if child.due is None]
        for child in living:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        for child in living:
            left = max(0.1, child.program.stop_seconds - (time.monotonic() - begun))
            if not stop(child.process, signal.SIGTERM, left):
                self.log.say(
                    f"{child.program.name} did not end within {child.program.stop_seconds:.0f} s and was killed"
                )
            child.reader.join(1)
            self.children.remove(child.program.name)
        self._programs.clear()
        for name, server in reversed(list(self._servers.items())):
            server.stop()
            self.children.remove(name)
        self._servers.clear()

    def _spawn(self, program: Program, *, failures: int = 0) -> _Child:
        process = spawn(program.command, stdout=subprocess.PIPE, environment=program.environment)
        self.children.add(program.name, process.pid)
        reader = threading.Thread(target=self._pass_on, args=(program.name, process), daemon=True)
        reader.start()
        return _Child(program, process, reader, time.monotonic(), failures)

    def _pass_on(self, name: str, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout as pipe:
            for line in pipe:
                self.log.write(name, readable(line.decode(errors="replace").rstrip()))

    def _mourn(self, child: _Child, now: float) -> None:
        kill_group(child.process.pid)
        child.failures = 0 if now - child.started > STEADY_SECONDS else child.failures + 1
        pause = BACKOFF_SECONDS[min(child.failures, len(BACKOFF_SECONDS) - 1)]
        child.due = now + pause
        self.children.remove(child.program.name)
        self.log.say(f"{child.program.name} {_ending(child.process.returncode)}; starting it again in {pause:g} s")

    def _restart_server(self, name: str, server: Server) -> None:
        code = server.process.returncode if server.process else 0
        self.log.say(f"{name} {_ending(code)}; starting it again")
        try:
            server.launch()
            if server.process is not None:
                self.children.add(name, server.process.pid)
            server.wait_ready()
            self.log.say(f"{name} is back")
        except StudioError as error:
            # Without its data the studio is of no use, and a person has to look.
            raise StudioError(f"{name} does not come back: {error.message}", advice=error.advice) from error


def _ending(code: int) -> str:
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with exit code {code}"
