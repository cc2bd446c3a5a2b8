"""What synthesis does to a folder that has something in it already."""

from pathlib import Path

import pytest

from blueprint.rules import RuleError
from k8s_charts import tree
from k8s_charts.main import main


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


def test_a_folder_of_something_else_is_left_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "work" / "thesis.md"
    other.parent.mkdir()
    other.write_text("mine")
    for folder in (other, other.parent, other / "gitops"):
        assert main([str(folder)]) == 1
        told = capsys.readouterr().err
        assert told.startswith("pingvas: ")
        assert told.count("\n") == 1
    assert other.read_text() == "mine"
    assert [one.name for one in other.parent.iterdir()] == ["thesis.md"]


def test_a_new_and_an_empty_folder_are_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "new" / "gitops"):
        assert main([str(folder)]) == 0
        assert main([str(folder)]) == 0
        assert capsys.readouterr().out.endswith("0 files written, 0 removed\n")
