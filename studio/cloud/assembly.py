"""Cloud assemblies: what `cdk synth` writes into a folder, and how two of them differ."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import UsageError

SUFFIX = ".template.json"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one stack: resources by path of their construct."""

    stack: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    modified: tuple[str, ...]
    other: bool = False
    """Outputs, parameters, metadata or conditions differ."""

    def __str__(self) -> str:
        counts = ((len(self.added), "added"), (len(self.removed), "removed"), (len(self.modified), "changed"))
        words = [f"{count} {word}" for count, word in counts if count]
        return ", ".join(words) or "metadata or outputs only"


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Templates by stack id.

    Raises:
        UsageError: the folder holds no assembly.
    """
    if not (folder / "manifest.json").is_file():
        raise UsageError(f"{folder} is no cloud assembly.", advice="`./pingvas synth --output FOLDER` writes one.")
    return {
        path.name.removesuffix(SUFFIX): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob(f"*{SUFFIX}"))
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """The stacks that differ between two assemblies, in order of their names."""
    for stack in sorted({*before, *after}):
        old, new = before.get(stack, {}), after.get(stack, {})
        if old == new:
            continue
        left, right = old.get("Resources", {}), new.get("Resources", {})
        yield Change(
            stack,
            added=_paths(right, right.keys() - left.keys()),
            removed=_paths(left, left.keys() - right.keys()),
            modified=_paths(right, {one for one in left.keys() & right.keys() if left[one] != right[one]}),
            other={**old, "Resources": None} != {**new, "Resources": None},
        )


def _paths(resources: Mapping[str, Any], chosen: set[str]) -> tuple[str, ...]:
    return tuple(sorted(resources[one].get("Metadata", {}).get("aws:cdk:path", one) for one in chosen))
