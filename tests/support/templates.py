"""Synthesized templates to ask questions of, and the one synthesis that a test process makes for them."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a template."""

    stack: str
    id: str
    body: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.body["Type"])

    @property
    def properties(self) -> Mapping[str, Any]:
        return self.body.get("Properties", {})  # type: ignore[no-any-return]

    @property
    def path(self) -> str:
        """The construct's path, such as `Network/Vpc/Resource`."""
        return str(self.body.get("Metadata", {}).get("aws:cdk:path", self.id))


class Templates(dict[str, dict[str, Any]]):
    """Templates by stack id; `dependencies` are the stacks that each waits for."""

    dependencies: Mapping[str, set[str]]

    def before(self, stack: str) -> set[str]:
        """Every stack that is deployed before this one, through however many between them."""
        direct = self.dependencies[stack]
        return direct.union(*(self.before(one) for one in direct))

    def resources(self, kind: str | None = None, *, stack: str | None = None) -> Iterator[Resource]:
        """Resources of a type (`AWS::EC2::Subnet`, or a prefix ending in `::`), in every stack or in one."""
        for name, template in self.items():
            if stack not in (None, name):
                continue
            for logical, body in template.get("Resources", {}).items():
                if kind is None or body["Type"] == kind or (kind.endswith("::") and body["Type"].startswith(kind)):
                    yield Resource(name, logical, body)

    def one(self, kind: str, *, stack: str | None = None, **properties: Any) -> Resource:
        """The only resource of a type whose properties have these values."""
        found = [
            resource
            for resource in self.resources(kind, stack=stack)
            if all(resource.properties.get(name) == value for name, value in properties.items())
        ]
        assert len(found) == 1, f"{kind} {properties}: {[f'{one.stack}/{one.id}' for one in found]}"
        return found[0]


@dataclass(frozen=True, slots=True)
class Assembly:
    """What one synthesis made: templates, and which stacks refuse deletion."""

    templates: Templates
    protected: Mapping[str, bool]


def synthesize(**context: Any) -> Templates:
    """The templates that `cdk synth -c name=value ...` writes, made in this process with the committed cdk.json."""
    return assembly(**context).templates


def assembly(**context: Any) -> Assembly:
    """The same with what stands beside the templates."""
    return _synthesize(json.dumps(context, sort_keys=True))


@cache
def _synthesize(context: str) -> Assembly:
    from app import wire
    from stacks.components.stack import PlatformApp
    from stacks.settings import read

    committed = json.loads((PROJECT / "cdk.json").read_text())["context"]
    with tempfile.TemporaryDirectory() as out:
        given = {**committed, "aws:cdk:enable-path-metadata": True, **json.loads(context)}
        app = PlatformApp(outdir=out, context=given, analytics_reporting=False)
        wire(app, read(app.node.try_get_context))
        app.synth()
        artifacts = json.loads((Path(out) / "manifest.json").read_text())["artifacts"]
        stacks = {name: one for name, one in artifacts.items() if one["type"] == "aws:cloudformation:stack"}
        templates = Templates({name: json.loads((Path(out) / f"{name}.template.json").read_text()) for name in stacks})
    templates.dependencies = {name: set(one.get("dependencies", ())) & stacks.keys() for name, one in stacks.items()}
    return Assembly(
        templates,
        protected={name: bool(one["properties"].get("terminationProtection")) for name, one in stacks.items()},
    )


def after(templates: Templates, later: Resource, earlier: Resource) -> bool:
    """Whether CloudFormation makes one resource after another, through however many between them."""
    waiting, seen = [later.id], set()
    while waiting:
        one = waiting.pop()
        if one == earlier.id:
            return True
        if one in seen or one not in templates[later.stack]["Resources"]:
            continue
        seen.add(one)
        body = templates[later.stack]["Resources"][one]
        explicit = body.get("DependsOn", [])
        waiting += [explicit] if isinstance(explicit, str) else explicit
        waiting += _references(body.get("Properties", {}))
    return False


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for one in value for name in _references(one)]
    if not isinstance(value, Mapping):
        return []
    if "Ref" in value:
        return [str(value["Ref"])]
    if "Fn::GetAtt" in value:
        return [str(value["Fn::GetAtt"][0])]
    return [name for one in value.values() for name in _references(one)]
