"""`gitops/` on disk: written only where it differs, stale files removed, image tags that delivery set kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from blueprint.rules import RuleError
from k8s_charts.facts import FILE
from k8s_charts.folder import KUSTOMIZATION

KEPT = (FILE,)
"""What lies there and is not written by synthesis alone."""


def tags(gitops: Path) -> dict[tuple[str, str], str]:
    """The image tags that the overlays name now, by (folder, image).

    Raises:
        RuleError: a kustomization.yaml is not one; the message names it.
    """
    found: dict[tuple[str, str], str] = {}
    for path in sorted(gitops.rglob(KUSTOMIZATION)):
        for image in _images(path):
            found[path.parent.relative_to(gitops).as_posix(), image["name"]] = str(image["newTag"])
    return found


def differences(gitops: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What `write` would write and remove: files that differ or are missing, and files that nothing makes."""
    written = [name for name, text in files.items() if _read(gitops / name) != text]
    there = (path.relative_to(gitops).as_posix() for path in gitops.rglob("*") if path.is_file())
    return written, sorted(name for name in there if name not in files and name not in KEPT)


def write(gitops: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Makes the folder hold exactly these files and those of `KEPT`.

    Returns:
        The paths that were written, and those that were removed.
    """
    written, removed = differences(gitops, files)
    for name in written:
        path = gitops / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name], encoding="utf-8")
    for name in removed:
        (gitops / name).unlink()
    for path in sorted(gitops.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return written, removed


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _images(path: Path) -> list[dict[str, Any]]:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [image for image in (read.get("images") or []) if isinstance(image["name"], str) and image["newTag"]]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise RuleError("images", path, "is no kustomization.yaml whose images have a name and a newTag") from error
