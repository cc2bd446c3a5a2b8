"""What synthesis does to a folder that has something in it already."""

from pathlib import Path

import pytest

from blueprint.rules import RuleError
from k8s_charts import tree


def test_only_what_differs_is_written_and_what_is_stale_goes(tmp_path: Path) -> None:
    files = {"a/x.yaml": "x: 1\n", "b.yaml": "y: 1\n"}
    assert tree.write(tmp_path, files) == (["a/x.yaml", "b.yaml"], [])
    assert tree.write(tmp_path, files) == ([], [])
    (tmp_path / "facts.yaml").write_text("kept")
    assert tree.write(tmp_path, {"b.yaml": "y: 2\n"}) == (["b.yaml"], ["a/x.yaml"])
    assert sorted(one.name for one in tmp_path.iterdir()) == ["b.yaml", "facts.yaml"]


def test_tags_that_delivery_set_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "overlays" / "dev" / "user-service"
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text("images:\n- name: user-service\n  newTag: '123'\n")
    assert tree.tags(tmp_path) == {("overlays/dev/user-service", "user-service"): "123"}
    (folder / "kustomization.yaml").write_text("images: 5\n")
    with pytest.raises(RuleError, match="images"):
        tree.tags(tmp_path)
