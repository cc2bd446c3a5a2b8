"""Every object against its schema: Kubernetes' own strictly, custom ones by their projects' models.

Models of `@kubernetes-models` are run in Node and also tell fields that they do not know (`models.mjs`); kinds that no
package has are checked with `schemas/`.
"""

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blueprint.cluster import VERSION
from studio.cloud import toolchain
from studio.errors import StudioError

HERE = Path(__file__).parent
OWN = ("elbv2.k8s.aws",)
"""Groups whose kinds `schemas/` describes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an object."""

    object: str
    message: str

    def __str__(self) -> str:
        return f"{self.object}: {self.message}"


def validate(objects: Iterable[dict[str, Any]]) -> list[Finding]:
    """Judges objects; an empty list says that all are well.

    Raises:
        StudioError: Node cannot run the models.
    """
    builtin: list[dict[str, Any]] = []
    custom: list[dict[str, Any]] = []
    own: list[dict[str, Any]] = []
    for body in objects:
        group = body.get("apiVersion", "").rpartition("/")[0]
        if group in OWN:
            own.append(body)
        elif "." in group and not group.endswith(".k8s.io"):
            custom.append(body)
        else:
            builtin.append(body)
    return [*_builtin(builtin), *_own(own), *_custom(custom)]


def name(body: dict[str, Any]) -> str:
    """How a finding names an object.

    >>> name({"kind": "Service", "metadata": {"name": "user-service", "namespace": "dev"}})
    'Service dev/user-service'
    """
    metadata = body.get("metadata", {})
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{body.get('kind')} {place}{metadata.get('name')}"


def _builtin(objects: Sequence[dict[str, Any]]) -> list[Finding]:
    import kubernetes_validate

    found = []
    for body in objects:
        try:
            kubernetes_validate.validate(body, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = "/".join(str(part) for part in error.absolute_path)
            found.append(Finding(name(body), f"/{place}: {error.message}"))
        except kubernetes_validate.utils.SchemaNotFoundError:
            found.append(
                Finding(name(body), f"Kubernetes {VERSION} has no {body.get('apiVersion')} {body.get('kind')}")
            )
    return found


def _own(objects: Sequence[dict[str, Any]]) -> list[Finding]:
    import jsonschema

    found = []
    for body in objects:
        group = body["apiVersion"].partition("/")[0]
        path = HERE / "schemas" / f"{group}.{body['kind']}.json"
        if not path.is_file():
            found.append(Finding(name(body), "no schema knows this kind"))
            continue
        found += [
            Finding(name(body), f"/{'/'.join(map(str, error.absolute_path))}: {error.message}")
            for error in jsonschema.Draft202012Validator(json.loads(path.read_text())).iter_errors(body)
        ]
    return found


def _custom(objects: Sequence[dict[str, Any]]) -> list[Finding]:
    if not objects:
        return []
    done = subprocess.run(
        [toolchain.node(), HERE / "models.mjs", toolchain.modules()],
        input=json.dumps(objects),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StudioError(f"the models of custom resources do not run:\n{done.stderr[-600:]}")
    return [Finding(name(objects[one["index"]]), one["message"]) for one in json.loads(done.stdout)]
