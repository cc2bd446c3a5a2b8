"""Files stay small, say what they are, and carry no unfinished business."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = 500
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|NotImplemented" + r"Error")


def tracked(*patterns: str) -> list[Path]:
    """Files that Git knows, new ones too; a release archive without Git has its Python files looked at."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        return sorted(ROOT.glob("[!.]*/**/*.py"))
    return [ROOT / line for line in found.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("path", tracked("*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_python_file_is_small_and_introduces_itself(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LINES, f"{path} has more than {LINES} lines: split it"
    assert not UNFINISHED.search(text), f"{path} leaves something unfinished"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it is"


def test_no_file_is_too_heavy_for_git() -> None:
    heavy = [path for path in tracked() if path.stat().st_size > 25_000_000]
    assert not heavy
