"""Which studio runs in a data folder: one at a time, held by a kernel lock that no kill can leave behind."""

import fcntl
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from studio.errors import BusyError
from studio.home import Home, read_json, trouble, write_json

_LOCK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class State:
    """What the running studio says of itself. `started` is in seconds of the epoch; `unready` names parts that fail."""

    pid: int
    url: str
    started: float
    ready: bool = False
    start_seconds: float = 0.0
    workers: int = 1
    unready: list[str] = field(default_factory=list)

    def write(self, home: Home) -> None:
        write_json(home.run / "studio.json", asdict(self))


def running(home: Home) -> State | None:
    """The studio that runs in this folder now, or None. Raises SetupError for somebody else's folder."""
    try:
        descriptor = os.open(_path(home), os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise trouble(home.root, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(home)
    finally:
        os.close(descriptor)
    return None


def wait_ready(home: Home, timeout: float) -> State | None:
    """Waits for a studio that starts here; None when it ended, or was not ready after `timeout` seconds."""
    end = time.monotonic() + timeout
    while (state := running(home)) is not None and not state.ready:
        if time.monotonic() > end:
            return None
        time.sleep(0.05)
    return state


def wait_gone(home: Home, timeout: float) -> bool:
    """Waits until no studio runs here; False when one still does after `timeout` seconds."""
    end = time.monotonic() + timeout
    while running(home) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class Lock:
    """Held by the studio from its first step to its last.

    Entering raises BusyError, which names the address and the process of whoever holds it.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            self._descriptor = os.open(_path(self._home), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise trouble(self._home.root, error) from error
        # A moment's patience: `status` holds the lock while it looks.
        end = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < end:
                    time.sleep(0.05)
                    continue
                os.close(self._descriptor)
                raise self._busy() from None
            # What a killed studio said of itself is not true of this one.
            with suppress(OSError):
                (self._home.run / "studio.json").unlink(missing_ok=True)
            return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            (self._home.run / "studio.json").unlink(missing_ok=True)
        os.close(self._descriptor)

    def _busy(self) -> BusyError:
        state = _read(self._home)
        doing = "already running" if state.ready else "already starting"
        return BusyError(
            f"{doing} at {state.url} (pid {state.pid}), data in {self._home.root}.",
            advice="`./pingvas status` shows it, `./pingvas down` stops it; PINGVAS_HOME names another data folder.",
        )


def _path(home: Home) -> Path:
    return home.run / "studio.lock"


def _read(home: Home) -> State:
    raw: dict[str, Any] = read_json(home.run / "studio.json")
    known = {name: raw[name] for name in State.__dataclass_fields__ if name in raw}
    return State(**{"pid": 0, "url": "", "started": time.time(), **known})
