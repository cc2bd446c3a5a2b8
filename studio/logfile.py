"""Reading the studio's log: the last lines of one part, and new ones as they come, across rotations."""

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

SERVERS = ("postgres", "valkey")
"""They write files of their own."""
POLL_SECONDS = 0.2
ENDED = "ERROR ended: "
"""Before the reason why a studio ended by itself."""


def belongs(line: str, part: str | None) -> bool:
    """Whether a line of studio.log is of this part; `worker` includes `worker-2`."""
    if part is None:
        return True
    words = line.split(" ", 2)
    return len(words) > 1 and (words[1] == part or words[1].startswith(part + "-"))


def last_lines(path: Path, part: str | None, count: int) -> list[str]:
    kept: deque[str] = deque(maxlen=count)
    for place in (path.with_name(path.name + ".1"), path):
        if place.exists():
            with place.open(encoding="utf-8", errors="replace") as file:
                kept.extend(line.rstrip("\n") for line in file if belongs(line, part))
    return list(kept)


def new_lines(path: Path, part: str | None) -> Iterator[str]:
    """Lines written from now on; never ends by itself."""
    file = path.open(encoding="utf-8", errors="replace")
    file.seek(0, os.SEEK_END)
    try:
        while True:
            begin = file.tell()
            line = file.readline()
            if line.endswith("\n"):
                if belongs(line, part):
                    yield line.rstrip("\n")
                continue
            file.seek(begin)
            if _replaced(path, file.fileno(), begin):
                file.close()
                file = path.open(encoding="utf-8", errors="replace")
            time.sleep(POLL_SECONDS)
    finally:
        file.close()


def _replaced(path: Path, descriptor: int, position: int) -> bool:
    """Whether the log was rotated away or cut back, so that reading starts over."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return there.st_ino != os.fstat(descriptor).st_ino or there.st_size < position
