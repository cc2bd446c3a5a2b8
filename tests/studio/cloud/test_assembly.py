"""Two assemblies compared: what changed is told by construct path."""

import json
from pathlib import Path

import pytest

from studio.cloud.assembly import Change, changes, load
from studio.errors import UsageError


def resource(path: str, **properties: str) -> dict[str, object]:
    return {"Type": "AWS::S3::Bucket", "Properties": properties, "Metadata": {"aws:cdk:path": path}}


def test_changes_name_resources_by_their_paths() -> None:
    before = {
        "A": {"Resources": {"One1": resource("A/One"), "Two2": resource("A/Two", Name="old")}},
        "B": {"Resources": {"Same": resource("B/Same")}},
        "Gone": {"Resources": {"X": resource("Gone/X")}},
    }
    after = {
        "A": {"Resources": {"Two2": resource("A/Two", Name="new"), "Three3": resource("A/Three")}},
        "B": {"Resources": {"Same": resource("B/Same")}},
        "New": {"Resources": {"Y": resource("New/Y")}},
    }
    assert list(changes(before, after)) == [
        Change("A", added=("A/Three",), removed=("A/One",), modified=("A/Two",)),
        Change("Gone", added=(), removed=("Gone/X",), modified=()),
        Change("New", added=("New/Y",), removed=(), modified=()),
    ]
    assert str(next(changes(before, after))) == "1 added, 1 removed, 1 changed"


def test_a_change_outside_resources_is_one_too() -> None:
    before = {"A": {"Resources": {}, "Outputs": {"O": {"Value": "1"}}}}
    after = {"A": {"Resources": {}, "Outputs": {"O": {"Value": "2"}}}}
    (change,) = changes(before, after)
    assert change.other
    assert str(change) == "metadata or outputs only"
    assert not list(changes(before, before))


def test_an_assembly_is_a_folder_with_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no cloud assembly"):
        load(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "Network.template.json").write_text(json.dumps({"Resources": {}}))
    assert load(tmp_path) == {"Network": {"Resources": {}}}
