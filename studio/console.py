"""One readable log of everything that runs: to the terminal with coloured names, and to a file that rotates."""

import os
import re
import sys
import time
from contextlib import suppress
from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

ROTATE_BYTES = 10 * 1024**2
KEPT = 3
WIDTH = 9
_COLOURS = {"studio": 36, "services": 34, "postgres": 35, "valkey": 31}
_CHILD = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[(\w+) *\] ")
_OTHERS = (32, 33, 92, 93)


class _File(RotatingFileHandler):
    def handleError(self, record: LogRecord) -> None:  # noqa: N802 (logging's name)
        """A full disk must not stop the studio: the terminal still has the line."""


class Log:
    """`write("worker", "text")` from any thread.

    Args:
        path: the file; rotated at `ROTATE_BYTES`, `KEPT` old ones stay.
        stream: the terminal, or None to write to the file alone.
    """

    def __init__(self, path: Path, stream: TextIO | None = None) -> None:
        self._file = _File(path, maxBytes=ROTATE_BYTES, backupCount=KEPT, encoding="utf-8", delay=True)
        self._stream = stream
        self._colour = stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")
        self.path = path

    def write(self, name: str, text: str) -> None:
        self.keep(name, text)
        if self._stream is not None:
            # The terminal may be gone; the studio goes on without it.
            with suppress(OSError, ValueError):
                self._stream.write(f"{self._label(name)} {text}\n")
                self._stream.flush()

    def keep(self, name: str, text: str) -> None:
        """A line for the file alone."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._file.handle(LogRecord(name, 20, "", 0, f"{now} {name:<{WIDTH}} {text}", None, None))

    def say(self, text: str) -> None:
        """A line of the studio itself."""
        self.write("studio", text)

    def close(self) -> None:
        self._file.close()

    def _label(self, name: str) -> str:
        if not self._colour:
            return f"{name:<{WIDTH}} |"
        code = _COLOURS.get(name) or _OTHERS[sum(name.encode()) % len(_OTHERS)]
        return f"\x1b[{code}m{name:<{WIDTH}}\x1b[0m \x1b[2m|\x1b[0m"


def readable(line: str) -> str:
    """A child's console line without the time, which is written anyway, and with its level only where it matters.

    >>> readable("2026-11-22T00:52:43.618394Z [info     ] device source=device")
    'device source=device'
    >>> readable("2026-11-22T00:52:43.618394Z [warning  ] slow")
    'WARNING slow'
    """
    found = _CHILD.match(line)
    if found is None:
        return line
    level = found[1].upper()
    rest = line[found.end() :]
    return rest if level in ("INFO", "DEBUG") else f"{level} {rest}"


def trim(path: Path) -> None:
    """Keeps a log that another process appends to below twice `ROTATE_BYTES`: the last part moves to `<name>.1`."""
    with suppress(OSError):
        if path.stat().st_size > ROTATE_BYTES:
            path.with_name(path.name + ".1").write_bytes(path.read_bytes())
            os.truncate(path, 0)


def terminal() -> TextIO | None:
    """Standard output where there is one."""
    return sys.stdout if sys.stdout is not None and not sys.stdout.closed else None
