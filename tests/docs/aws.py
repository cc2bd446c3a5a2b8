"""The AWS pages as tests read them: their shell blocks, their prose, and every `aws` command that they show."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.markdown import ROOT, name

FOLDER = ROOT / "docs" / "aws"
FIRST, RUNBOOK = FOLDER / "first-deployment.md", FOLDER / "runbook.md"
PAGES = (FIRST, RUNBOOK)
FENCE = re.compile(r"^( *)```sh\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
ANY_FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"(?:^|\$\(|\{ |-rn1 )aws (?=[a-z])", re.MULTILINE)


def shell(page: Path) -> list[str]:
    """Shell blocks, those inside of lists too, continued lines joined."""
    return [text.replace("\\\n", " ") for _, text in FENCE.findall(page.read_text())]


def prose(page: Path) -> str:
    return ANY_FENCE.sub("", page.read_text())


def until_its_end(text: str) -> str:
    """A command up to the first unquoted character that ends one."""
    quote = ""
    for at, one in enumerate(text):
        if quote:
            quote = "" if one == quote else quote
        elif one in "'\"":
            quote = one
        elif one in "\n|;)>}":
            return text[:at]
    return text


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in shell(page):
            for found in COMMAND.finditer(block):
                yield name(page), "aws " + until_its_end(block[found.end() :])
        for words in INLINE.findall(prose(page)):
            if words.startswith("aws "):
                yield name(page), " ".join(words.split())


COMMANDS = sorted(set(commands()))


def value_of(words: list[str], option: str) -> str:
    return words[words.index(f"--{option}") + 1] if f"--{option}" in words else ""
