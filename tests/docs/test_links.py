"""Every link inside the house leads somewhere: to a file, and to a heading where it names one."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.markdown import ROOT, anchors, links, name, pages

OUTSIDE = ("http://", "https://", "mailto:", "data:")


@pytest.mark.parametrize("page", pages(), ids=name)
def test_internal_links_resolve(page: Path) -> None:
    broken = [link for link in links(page) if not link.startswith(OUTSIDE) and not leads_somewhere(page, link)]
    assert not broken, f"{name(page)} links to {', '.join(broken)}"


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = (ROOT / path.lstrip("/") if path.startswith("/") else page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors(target))


def test_the_check_can_fail(tmp_path: Path) -> None:
    readme = ROOT / "README.md"
    assert leads_somewhere(readme, "docs/operations.md#settings")
    assert not leads_somewhere(readme, "docs/operations.md#no-such-heading")
    assert not leads_somewhere(readme, "docs/no-such-page.md")
    assert not leads_somewhere(readme, "../elsewhere.md")
    page = tmp_path / "page.md"
    page.write_text('[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n<img src="g.png">\n')
    assert links(page) == ["b.md", "g.png"]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "architecture").glob("*.md")), ids=name)
def test_an_architecture_page_has_a_drawing(page: Path) -> None:
    text = page.read_text()
    assert "```mermaid\n" in text or ".svg)" in text
