"""Manifests, for questions: every object that synthesis writes or that Kustomize builds of it, and where it lies."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from k8s_charts.folder import GitOps
from studio.cloud import toolchain
from studio.cloud.manifests.kustomization import build, folders


@dataclass(frozen=True)
class Object:
    """One Kubernetes object. `path` is the folder below gitops/ that it was read or built from."""

    path: str
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        found = self.body["metadata"].get("namespace")
        return None if found is None else str(found)

    @property
    def pod(self) -> dict[str, Any] | None:
        """The pod template of a workload, with metadata and spec."""
        spec = self.body.get("spec", {})
        if self.kind == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        template = spec.get("template") if self.kind in WORKLOAD_KINDS else None
        return dict(template) if template else None

    def __str__(self) -> str:
        return f"{self.path}: {self.kind} {self.name}"


WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


class Manifests:
    """What one synthesis wrote into `root`, and what Kustomize makes of it."""

    def __init__(self, app: GitOps, root: Path) -> None:
        self.app = app
        self.root = root
        self._built: dict[str, list[Object]] = {}

    def built(self, path: str) -> list[Object]:
        """What `kubectl kustomize` makes of a folder."""
        if path not in self._built:
            self._built[path] = [Object(path, body) for body in build(self.root / path)]
        return self._built[path]

    def folders(self) -> list[str]:
        """Folders with a kustomization.yaml that ArgoCD applies: not the bases."""
        return folders(self.root)

    def all(self) -> Iterator[Object]:
        """Every object as it is applied."""
        for path in self.folders():
            yield from self.built(path)

    def of(self, kind: str, *, namespace: str | None = None, name: str | None = None) -> list[Object]:
        """Objects of a kind, in one namespace or of one name."""
        return [
            one
            for one in self.all()
            if one.kind == kind
            and (namespace is None or one.namespace == namespace)
            and (name is None or one.name == name)
        ]

    def one(self, kind: str, name: str, *, namespace: str | None = None) -> Object:
        found = self.of(kind, namespace=namespace, name=name)
        assert len(found) == 1, f"{len(found)} objects are {kind} {namespace}/{name}"
        return found[0]


@cache
def kustomize(path: Path) -> str:
    """The output of plain `kubectl kustomize`; fails with what it said."""
    done = subprocess.run([toolchain.kubectl(), "kustomize", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kubectl kustomize {path}: {done.stderr}"
    return done.stdout
