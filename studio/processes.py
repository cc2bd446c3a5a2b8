"""Child processes that end with their parent, and the record of them that outlives both.

A child dies with the studio even when the studio is killed by SIGKILL: on Linux the kernel signals it
(PR_SET_PDEATHSIG, prctl(2)). What still lives at the next start, on any system, is found in `children.json`
and ended then, by process id and start time, so that a recycled id is never mistaken for a child of ours.
"""

import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil  # type: ignore[import-untyped]

from studio.errors import SetupError
from studio.home import read_json, write_json

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that a child runs as."""

    uid: int
    gid: int

    @classmethod
    def unprivileged(cls) -> "Account | None":
        """`nobody` when the studio runs as root, and None (stay who you are) otherwise."""
        if os.geteuid() != 0:
            return None
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            raise SetupError(
                "The studio runs as root, where PostgreSQL needs the system account `nobody`, and there is none.",
                advice="Run it as an ordinary user.",
            ) from None
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def popen(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def spawn(
    command: Sequence[str | Path],
    *,
    stdout: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    account: Account | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Starts a child in a process group of its own, so that Ctrl-C reaches the studio alone.

    Call it from a thread that lives as long as the child may: the kernel sends `death_signal` when the
    *thread* that started the child ends, not only its process (prctl(2)). Standard error joins `stdout`.
    """
    parent = os.getpid()

    def end_with_parent() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal.value, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return subprocess.Popen(
        [os.fspath(part) for part in command],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        env=dict(environment) if environment is not None else None,
        cwd=folder,
        start_new_session=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509 (runs after the change of user, which would clear the signal)
        **(account.popen if account else {}),
    )


def stop(process: subprocess.Popen[bytes], sign: signal.Signals, timeout: float) -> bool:
    """Ends a child and whatever is left in its group, by force after `timeout` seconds; True if none was needed."""
    ended = True
    with suppress(ProcessLookupError):
        process.send_signal(sign)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        ended = False
    kill_group(process.pid)
    process.wait()
    return ended


def kill_group(group: int) -> None:
    """SIGKILL to whoever is left in a process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


class Children:
    """Which children run, kept in a file so that the next studio finds those of one that was killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, float]] = {}

    def add(self, name: str, pid: int) -> None:
        with self._lock:
            with suppress(psutil.Error):
                self._known[name] = {"pid": pid, "started": psutil.Process(pid).create_time()}
            write_json(self._path, self._known)

    def remove(self, name: str) -> None:
        with self._lock:
            if self._known.pop(name, None) is not None:
                write_json(self._path, self._known)

    @property
    def pids(self) -> dict[str, int]:
        """The children by name, also those of a studio in another process."""
        return {name: int(child["pid"]) for name, child in read_json(self._path).items()}

    def end_leftovers(self, timeout: float = 10) -> list[str]:
        """Ends what an earlier studio left behind, politely and then by force; returns their names."""
        found: dict[str, psutil.Process] = {}
        for name, child in read_json(self._path).items():
            with suppress(psutil.Error, KeyError, TypeError):
                process = psutil.Process(int(child["pid"]))
                if abs(process.create_time() - child["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                    found[name] = process
        for name, process in found.items():
            with suppress(psutil.Error):
                process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
        psutil.wait_procs(list(found.values()), timeout)
        for process in found.values():
            kill_group(process.pid)
        psutil.wait_procs(list(found.values()), 5)
        write_json(self._path, {})
        return sorted(found)


class Ports:
    """Ports that stay the same from one start to the next as long as nobody else takes them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pick(self, name: str, *, running: bool = False) -> int:
        """The port of `name`: the remembered one if it is free, or if its server is known to be `running`."""
        known = read_json(self._path)
        port = known.get(name)
        if isinstance(port, int) and (running or port_free(port)):
            return port
        known[name] = port = free_port()
        write_json(self._path, known)
        return port


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def port_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections still wind down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def tail(path: Path, lines: int = 5) -> str:
    """The last lines of a log, for an error message."""
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
