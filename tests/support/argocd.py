"""What ArgoCD makes of its objects, without ArgoCD: applications of an ApplicationSet, and what a project admits.

Of Go's templates this knows `{{ .name }}` and `{{- if .name }} ... {{- end }}`; of generators `list` and `matrix`.
Anything else is an error, so that nothing is taken for granted. Source: Argo CD documentation, "Generators", "Go
Template", "Template Patch", "Projects".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import yaml

_FIELD = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}")
_CONDITION = re.compile(r"\{\{-\s*if\s+\.(\w+)\s*\}\}(.*?)\{\{-\s*end\s*\}\}\n?", re.DOTALL)
Parameters = Mapping[str, Any]


class TemplateError(Exception):
    """A template or generator that ArgoCD refuses, or that this module does not know."""


def expand(applicationset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The applications of a set.

    Raises:
        TemplateError: a parameter is missing, two generators disagree, or the set uses what is not known here.
    """
    spec = applicationset["spec"]
    if not spec.get("goTemplate") or spec.get("goTemplateOptions") != ["missingkey=error"]:
        raise TemplateError("only Go templates whose missing keys are errors are known")
    return [_application(spec, one) for generator in spec["generators"] for one in parameters(generator)]


def parameters(generator: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One mapping an application."""
    (kind, body), *others = generator.items()
    if others or kind not in ("list", "matrix"):
        raise TemplateError(f"generator {', '.join(generator)} is not known")
    if kind == "list":
        return [dict(one) for one in body["elements"]]
    if len(body["generators"]) != 2:
        raise TemplateError("a matrix has two generators")
    first, second = (parameters(one) for one in body["generators"])
    return [_merged(one, other) for one, other in product(first, second)]


def _merged(one: Parameters, other: Parameters) -> dict[str, Any]:
    if clash := one.keys() & other.keys():
        raise TemplateError(f"both generators give {', '.join(sorted(clash))}")
    return {**one, **other}


def _application(spec: Mapping[str, Any], given: Parameters) -> dict[str, Any]:
    made = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **_rendered(spec["template"], given)}
    patch = yaml.safe_load(render(spec.get("templatePatch", ""), given)) or {}
    return _patched(made, patch)


def _rendered(value: Any, given: Parameters) -> Any:
    if isinstance(value, dict):
        return {key: _rendered(one, given) for key, one in value.items()}
    if isinstance(value, list):
        return [_rendered(one, given) for one in value]
    return render(value, given) if isinstance(value, str) else value


def render(template: str, given: Parameters) -> str:
    """A text with its parameters in place.

    >>> render("{{ .environment }}-{{.app}}", {"environment": "dev", "app": "user-service"})
    'dev-user-service'
    """

    def value(name: str) -> Any:
        if name not in given:
            raise TemplateError(f"map has no entry for key {name!r}")
        return given[name]

    text = _CONDITION.sub(lambda found: found[2] if value(found[1]) else "", template)
    text = _FIELD.sub(lambda found: str(value(found[1])), text)
    if "{{" in text:
        raise TemplateError(f"{text!r} is not known here")
    return text


def _patched(value: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(value)
    for key, one in patch.items():
        if isinstance(one, list):
            raise TemplateError("a patch of a list is not known here")
        made[key] = _patched(made.get(key, {}), one) if isinstance(one, dict) else one
    return made


@dataclass(frozen=True)
class Target:
    """One object that an application applies; `namespace` is None for what is cluster-wide."""

    group: str
    kind: str
    namespace: str | None
    name: str


def refused(project: Mapping[str, Any], application: Mapping[str, Any], targets: Iterable[Target]) -> list[str]:
    """Why a project does not admit an application with these objects; empty when it does."""
    spec, own = project["spec"], application["spec"]
    found = [
        f"source {source['repoURL']}"
        for source in own.get("sources") or [own["source"]]
        if not any(fnmatchcase(source["repoURL"], allowed) for allowed in spec["sourceRepos"])
    ]
    destination = own["destination"]
    # Without a namespace it is the empty text, which no name matches.
    if not _destined(spec, destination["server"], destination.get("namespace", "")):
        found.append(f"destination {destination.get('namespace', '')!r}")
    for one in targets:
        if one.namespace is None:
            if not _listed(spec["clusterResourceWhitelist"], one):
                found.append(f"cluster-wide {one.group}/{one.kind} {one.name}")
            continue
        if not _destined(spec, destination["server"], one.namespace):
            found.append(f"namespace {one.namespace} of {one.kind} {one.name}")
        # No list at all admits every kind.
        if spec["namespaceResourceWhitelist"] and not _listed(spec["namespaceResourceWhitelist"], one):
            found.append(f"{one.group}/{one.kind} {one.name}")
    return found


def _destined(spec: Mapping[str, Any], server: str, namespace: str) -> bool:
    return any(
        fnmatchcase(server, one["server"]) and fnmatchcase(namespace, one["namespace"]) for one in spec["destinations"]
    )


def _listed(kinds: Iterable[Mapping[str, str]], target: Target) -> bool:
    return any(fnmatchcase(target.group, one["group"]) and fnmatchcase(target.kind, one["kind"]) for one in kinds)
