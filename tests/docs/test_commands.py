"""Every `./pingvas ...` that a page shows is a command that exists, with options that it has."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from studio.cli import build
from tests.docs.markdown import FENCE, blocks, name, pages

INLINE = re.compile(r"`(\./pingvas [^`]+)`")
PLACEHOLDERS = ("...", "COMMAND", "NAME", "PATH")


def shown(page: Path) -> list[str]:
    """The command lines of a page, in its shell blocks and in its prose."""
    text = page.read_text()
    found = INLINE.findall(FENCE.sub("", text))
    for block in blocks(page):
        if block.words[:1] == ("sh",):
            joined = block.text.replace("\\\n", " ")
            found += [line.strip() for line in joined.splitlines() if line.strip().startswith("./pingvas ")]
    return found


LINES = [(page, line) for page in pages() for line in shown(page)]


@pytest.mark.parametrize(("page", "line"), LINES, ids=lambda part: part if isinstance(part, str) else name(part))
def test_a_command_that_is_shown_exists(page: Path, line: str) -> None:
    group = typer.main.get_command(build())
    words = [word for word in shlex.split(line, comments=True)[1:] if word not in PLACEHOLDERS]
    while words and words[0].startswith("-"):
        assert words.pop(0) in options(group)
    if not words:
        return
    commands = group.commands  # type: ignore[attr-defined]
    assert words[0] in commands, f"{name(page)} shows {line!r}"
    command = commands[words[0]]
    passes_on = command.context_settings.get("ignore_unknown_options", False)
    for word in words[1:]:
        if word.startswith("-") and not passes_on:
            assert word.partition("=")[0] in options(command), f"{name(page)} shows {line!r}"


def options(command: object) -> set[str]:
    parameters = command.params  # type: ignore[attr-defined]
    names = [option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)]
    return {*names, "--help", "-h"}
