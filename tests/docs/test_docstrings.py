"""The examples in docstrings say what the code does."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT

FOLDERS = ("blueprint", "stacks", "k8s_charts", "services", "gpu_worker", "studio", "migrations", "bench")


def modules() -> list[str]:
    """Modules with an example, by their dotted names."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if ">>> " in path.read_text())
    return [dotted(path) for path in paths]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("module", modules())
def test_examples(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS)
    assert done.failed == 0
    assert done.attempted > 0
