"""Templates as a reviewer reads them: construct paths for logical ids, no hashes, nothing that CDK adds for itself."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

_ASSET = re.compile(r"\b[0-9a-f]{64}\b")
_HASH = re.compile(r"(?<=[A-Za-z]{2})(?=[0-9A-F]*\d)(?:[0-9A-F]{8}){1,2}(?![0-9a-z])")
"""The end that CDK gives a name of another stack's resource, and one more where that becomes an export."""


SHOWN_LINES = 60


def reviewed(folder: Path, now: Mapping[str, str], *, update: bool, name: str) -> None:
    """Fails where the files of `folder` are not these texts by file name; with `update`, makes them so first.

    `name` stands before the files' names in the differences that are shown.
    """
    if update:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for file, text in now.items():
            (folder / file).write_text(text)
    seen = {path.name: path.read_text() for path in folder.glob("*.yaml")}
    lines: list[str] = []
    for file in sorted({*seen, *now}):
        before, after = (one.get(file, "").splitlines() for one in (seen, now))
        lines += difflib.unified_diff(before, after, f"{name}/{file}", "synthesized", n=2, lineterm="")
    if lines:
        more = f"\n... {len(lines) - SHOWN_LINES} lines more" if len(lines) > SHOWN_LINES else ""
        pytest.fail("\n".join(lines[:SHOWN_LINES]) + more, pytrace=False)


def readable(template: Mapping[str, Any], stack: str) -> str:
    """One stack's template as YAML, whose differences are those that an operator would see."""
    resources = template.get("Resources", {})
    names = {logical: _name(logical, body, stack) for logical, body in resources.items() if not _own(body)}
    assert len(set(names.values())) == len(names), f"{stack}: two resources have one name"
    # The longest first: a logical id may be the beginning of another.
    pattern = re.compile("|".join(re.escape(one) for one in sorted(names, key=len, reverse=True)) or r"(?!)")

    def text(value: str) -> str:
        value = _ASSET.sub("<asset>", value)
        return _HASH.sub("", pattern.sub(lambda found: names[found.group()], value))

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {text(str(key)): plain(one) for key, one in value.items()}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return text(value) if isinstance(value, str) else value

    wanted = {
        names[logical]: plain(_without_own_metadata(body)) for logical, body in resources.items() if not _own(body)
    }
    parts: dict[str, Any] = {"Description": template.get("Description"), "Resources": dict(sorted(wanted.items()))}
    for section in ("Transform", "Mappings", "Conditions", "Outputs"):
        if content := template.get(section):
            parts[section] = plain(content)
    if parameters := {k: v for k, v in template.get("Parameters", {}).items() if k != "BootstrapVersion"}:
        parts["Parameters"] = plain(parameters)
    return yaml.dump(parts, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def _name(logical: str, body: Mapping[str, Any], stack: str) -> str:
    path = str(body.get("Metadata", {}).get("aws:cdk:path", logical))
    return _HASH.sub("", path.removeprefix(f"{stack}/").removesuffix("/Resource").removesuffix("/Default"))


def _own(body: Mapping[str, Any]) -> bool:
    return bool(body["Type"] == "AWS::CDK::Metadata")


def _without_own_metadata(body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in body.get("Metadata", {}).items() if not name.startswith("aws:")}
    rest = {name: value for name, value in body.items() if name != "Metadata"}
    return {**rest, "Metadata": metadata} if metadata else rest


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, and no anchors: a reader wants the value where it is used."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _string)
