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


def write(gitops: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Makes the folder hold exactly these files and those of `KEPT`.

    Returns:
        The paths that were written, and those that were removed.
    """
    written, removed = [], []
    for name, text in files.items():
        path = gitops / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(name)
    for path in sorted(gitops.rglob("*"), reverse=True):
        name = path.relative_to(gitops).as_posix()
        if path.is_file() and name not in files and name not in KEPT:
            path.unlink()
            removed.append(name)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return written, sorted(removed)


def _images(path: Path) -> list[dict[str, Any]]:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [image for image in (read.get("images") or []) if isinstance(image["name"], str) and image["newTag"]]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise RuleError("images", path, "is no kustomization.yaml whose images have a name and a newTag") from error
