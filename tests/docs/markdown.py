"""The pages of the house as tests read them: fenced blocks, links, headings, tables."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|<(?:img|a|source)\b[^>]*?\b(?:src|href|srcset)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: ```` ```sh run studio ```` has the words `sh`, `run` and `studio`."""

    page: Path
    words: tuple[str, ...]
    text: str


def pages() -> list[Path]:
    """Every Markdown file that Git knows, new ones too; in an archive without Git, those of the usual places."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/**/*.md")])
    return [ROOT / line for line in found.stdout.splitlines() if (ROOT / line).is_file()]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    return [Block(page, tuple(found["info"].split()), found["text"]) for found in FENCE.finditer(page.read_text())]


def links(page: Path) -> list[str]:
    """What the page's prose links to, as written."""
    prose = CODE.sub("", FENCE.sub("", page.read_text()))
    return [markdown or html for markdown, html in LINK.findall(prose)]


def anchors(page: Path) -> set[str]:
    """The names that a heading can be linked by, made as GitHub makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = sum(known == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", known) is not None for known in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


def section(page: Path, heading: str) -> str:
    """What stands below a heading of the second level."""
    _, _, rest = page.read_text().partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


def tables(text: str) -> Iterator[list[list[str]]]:
    """The cells of each table, without its head."""
    rows: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif rows:
            yield rows[2:]
            rows = []
