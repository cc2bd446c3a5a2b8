"""What happened to each resource, line by line in a file: written by the emulator, read by the rehearsal."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Event = Literal["created", "updated", "replaced", "deleted", "retained", "imported", "refused"]


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `made` tells whether the emulator holds the resource itself or its record alone."""

    event: Event
    stack: str
    resource: str
    """The logical id; of `imported`, the export's name."""
    kind: str
    path: str = ""
    """The construct's path."""
    made: bool = False
    reason: str = ""
    """Of `refused`: why. Of a record: why the emulator did not make it, where it could have."""


class Ledger:
    """Appends lines to a file; each is there as soon as `write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, line: Line) -> None:
        self._file.write(json.dumps(asdict(line)) + "\n")

    def close(self) -> None:
        self._file.close()


def read(path: Path, start: int = 0) -> Iterator[Line]:
    """Lines from number `start` on."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines()[start:]:
            yield Line(**json.loads(line))
