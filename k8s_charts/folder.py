"""A folder of `gitops/`: a cdk8s chart whose objects become a file each, beside a kustomization.yaml that lists them.

    gitops/base/user-service/            Folder("base/user-service")
    gitops/overlays/dev/user-service/    Overlay("overlays/dev/user-service", base=..., namespace="dev")

A file is named after its object's kind, with the object's name where a kind comes twice, and with the namespace before
it where a name does.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import cdk8s
from constructs import Construct

from k8s_charts.facts import Facts
from k8s_charts.text import document

KUSTOMIZATION = "kustomization.yaml"
UNRELEASED = "unreleased"
"""The tag of an image that no delivery has set yet; no repository has it."""


class GitOps(cdk8s.App):
    """Every folder, and what all of them read. `tags` are the image tags that delivery has set, by (folder, image)."""

    def __init__(self, facts: Facts, tags: Mapping[tuple[str, str], str] | None = None) -> None:
        super().__init__()
        self.facts = facts
        self.tags = dict(tags or {})

    def folders(self) -> list["Folder"]:
        """Every folder, in the order in which they were made."""
        return [one for one in self.node.children if isinstance(one, Folder)]

    def files(self) -> dict[str, str]:
        """Every file by its path below `gitops/`, in order."""
        made: dict[str, str] = {}
        for folder in self.folders():
            for name, text in folder.files().items():
                _once(made, f"{folder.path}/{name}")
                made[f"{folder.path}/{name}"] = text
        return dict(sorted(made.items()))


class Folder(cdk8s.Chart):
    """Objects in files of their own. `listed=False` leaves kustomization.yaml out, for folders that Helm reads."""

    def __init__(self, app: GitOps, path: str, *, namespace: str | None = None, listed: bool = True) -> None:
        super().__init__(app, path.replace("/", "--"), disable_resource_name_hashes=True)
        self.app = app
        self.path = path
        self.namespace_of_all = namespace
        self._listed = listed
        self._texts: dict[str, str] = {}

    def write(self, name: str, content: Any) -> None:
        """A file beside the objects, not applied by Kustomize: Helm values, a dashboard. Text stays as it is."""
        _once(self._texts, name)
        self._texts[name] = content if isinstance(content, str) else document(content)

    def objects(self) -> list[dict[str, Any]]:
        """The folder's Kubernetes objects, in the order of their files."""
        return [body for _, body in self._named()]

    def kustomization(self) -> dict[str, Any]:
        """What Kustomize is told, beside the list of files."""
        return {"namespace": self.namespace_of_all} if self.namespace_of_all else {}

    def files(self) -> dict[str, str]:
        """By name."""
        named = self._named()
        made = {name: document(body) for name, body in named}
        if self._listed:
            head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
            listed = {"resources": [*self.bases(), *made]} if (made or self.bases()) else {}
            made[KUSTOMIZATION] = document({**head, **self.kustomization(), **listed, **self.transformers()})
        return {**made, **self._texts}

    def bases(self) -> list[str]:
        """Folders that this one builds on, as Kustomize writes them."""
        return []

    def transformers(self) -> dict[str, Any]:
        """What Kustomize does to the listed resources."""
        return {}

    def _named(self) -> list[tuple[str, dict[str, Any]]]:
        bodies: list[dict[str, Any]] = [
            one.to_json() for one in self.node.find_all() if isinstance(one, cdk8s.ApiObject)
        ]
        kinds = Counter(body["kind"] for body in bodies)
        names = Counter((body["kind"], body["metadata"]["name"]) for body in bodies)
        named: dict[str, dict[str, Any]] = {}
        for body in bodies:
            kind, metadata = body["kind"].lower(), body["metadata"]
            parts = [kind] if kinds[body["kind"]] == 1 else [kind, metadata["name"]]
            if names[body["kind"], metadata["name"]] > 1:
                parts.insert(1, metadata.get("namespace", "cluster"))
            name = f"{'-'.join(parts)}.yaml"
            _once(named, name)
            named[name] = _plain(body)
        return sorted(named.items())


class Overlay(Folder):
    """A base with what differs in one environment: images by tag, patches, objects of its own.

    `images` are names as the base writes them; the tag is the one that delivery has set, or UNRELEASED.
    """

    def __init__(self, app: GitOps, path: str, *, base: str, namespace: str, images: tuple[str, ...] = ()) -> None:
        super().__init__(app, path, namespace=namespace)
        self._base = base
        self._images = images
        self._patches: list[str] = []
        self._more: dict[str, Any] = {}

    def patch(self, name: str, body: Mapping[str, Any]) -> None:
        """A strategic merge patch (a JSON merge patch for custom resources), in `patches/<name>.yaml`."""
        file = f"patches/{name}.yaml"
        self.write(file, dict(body))
        self._patches.append(file)

    def add(self, **entries: Any) -> None:
        """Further entries of kustomization.yaml, such as `replacements`."""
        self._more |= entries

    def bases(self) -> list[str]:
        here = PurePosixPath(self.path)
        return [f"{'../' * len(here.parts)}{self._base}"]

    def transformers(self) -> dict[str, Any]:
        images = [
            {
                "name": image,
                "newName": self.app.facts.repository(image),
                "newTag": self.app.tags.get((self.path, image), UNRELEASED),
            }
            for image in self._images
        ]
        patches = [{"path": file} for file in sorted(self._patches)]
        parts = {"images": images, "patches": patches, **self._more}
        return {name: part for name, part in parts.items() if part}


class CustomResource(cdk8s.ApiObject):
    """An object of a custom kind; subclasses take typed keyword arguments and hand over `spec`."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the construct library's own name)
        *,
        api_version: str,
        kind: str,
        name: str | None = None,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        **body: Any,
    ) -> None:
        super().__init__(
            scope,
            id,
            api_version=api_version,
            kind=kind,
            metadata=cdk8s.ApiObjectMetadata(
                name=name or id,
                namespace=namespace,
                labels=dict(labels) if labels else None,
                annotations=dict(annotations) if annotations else None,
            ),
        )
        for field, value in body.items():
            self.add_json_patch(cdk8s.JsonPatch.add(f"/{field}", value))


def _plain(value: Any) -> Any:
    """jsii gives whole numbers as floats where JavaScript has no others."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _once(made: Mapping[str, object], name: str) -> None:
    if name in made:
        raise ValueError(f"{name} is made twice")
