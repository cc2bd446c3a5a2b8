"""docs/kubernetes/network.md holds the list of blueprint/reach.py, and the picture is that of the policies."""

from pathlib import Path

import pytest

from blueprint.environments import DEV
from blueprint.reach import CLOSED, Opening, allowed

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes" / "network.md"


def environment_rows() -> list[str]:
    """dev's rows; prod's are the same with its own name."""
    rows = []
    for row in allowed():
        names = (*row.sources, *row.targets)
        if any(one.startswith(f"{DEV.namespace}/") for one in names):
            source, target = (", ".join(f"`{one}`" for one in side) for side in (row.sources, row.targets))
            rows.append(f"| {source} | {target} | {', '.join(row.ports)} | {row.why} |".replace("`dev/", "`<env>/"))
    return rows


def namespace_row(name: str, opening: Opening) -> str:
    callers = [one for one, other in CLOSED.items() if other.argocd] if name == "argocd" else []
    into = [
        *(["itself"] if opening.neighbours else []),
        *(["Prometheus"] if opening.scraped and name != "monitoring" else []),
        *([f"API server on {', '.join(map(str, opening.webhooks))}"] if opening.webhooks else []),
        *(f"{one} on 8080" for one in callers),
    ]
    out = ["DNS"] + [
        text
        for field, text in (
            ("neighbours", "itself"),
            ("api_server", "API server"),
            ("https", "HTTPS"),
            ("identity", "Pod Identity agent"),
            ("postgres", "Aurora"),
            ("redis", "Redis"),
            ("nodes", "private subnets"),
            ("argocd", "argocd-server on 8080"),
        )
        if getattr(opening, field)
    ]
    return f"| `{name}` | {', '.join(into) or 'nobody'} | {', '.join(out)} |"


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_lists_every_allowance_of_an_environment_and_no_other(lines: list[str]) -> None:
    start = lines.index("| from | to | ports | why |")
    end = next(index for index in range(start, len(lines)) if not lines[index].startswith("|"))
    assert lines[start + 2 : end] == environment_rows()


def test_the_page_lists_every_shared_namespace(lines: list[str]) -> None:
    start = lines.index("| namespace | in | out |")
    end = next((index for index in range(start, len(lines)) if not lines[index].startswith("|")), len(lines))
    assert lines[start + 2 : end] == [namespace_row(name, opening) for name, opening in CLOSED.items()]


def test_both_environments_have_the_same_rows() -> None:
    def of(name: str) -> set[tuple[object, ...]]:
        return {
            tuple(str(part).replace(f"{name}/", "<env>/") for part in (row.sources, row.targets, row.ports, row.why))
            for row in allowed()
            if any(one.startswith(f"{name}/") for one in (*row.sources, *row.targets))
        }

    assert of("dev") == of("prod")
