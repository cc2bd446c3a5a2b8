"""What ArgoCD makes of a folder: `kubectl kustomize`, of the pinned kubectl."""

import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from studio.cloud import toolchain
from studio.errors import StudioError

KUSTOMIZATION = "kustomization.yaml"
BASES = "base/"
AT_ONCE = 4


def folders(root: Path) -> list[str]:
    """Folders below `root` that ArgoCD applies: those with a kustomization.yaml, without the bases."""
    found = (path.parent.relative_to(root).as_posix() for path in root.rglob(KUSTOMIZATION))
    return sorted(path for path in found if not path.startswith(BASES))


def build(folder: Path) -> list[dict[str, Any]]:
    """The objects that Kustomize makes of a folder.

    Raises:
        StudioError: it refuses; the message is its own.
    """
    done = subprocess.run([toolchain.kubectl(), "kustomize", folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StudioError(f"kubectl kustomize {folder.name}: {done.stderr.strip()}")
    return [body for body in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if body]


def build_all(files: Mapping[str, str]) -> list[dict[str, Any]]:
    """The objects of every folder among `files` (text by path) that ArgoCD would apply."""
    with TemporaryDirectory(prefix="pingvas-gitops-") as name, ThreadPoolExecutor(AT_ONCE) as threads:
        root = Path(name)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        built = threads.map(lambda folder: build(root / folder), folders(root))
        return [body for objects in built for body in objects]
