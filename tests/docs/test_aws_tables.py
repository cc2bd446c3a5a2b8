"""The AWS page's tables, held to the code: stacks and what they stand on, settings and their defaults."""

import json
from dataclasses import fields

from stacks.settings import Settings, read
from tests.docs.markdown import ROOT, section, tables
from tests.support.templates import assembly

PAGE = ROOT / "docs" / "architecture" / "aws.md"
ALL = "all that it watches"


def plain(cell: str) -> str:
    return cell.strip("`")


def test_the_table_of_stacks_is_the_app() -> None:
    (rows,) = tables(section(PAGE, "Stacks"))
    made = assembly(region="us-east-1")
    names = [plain(row[0]) for row in rows]
    assert sorted(names) == sorted(made.templates)
    for name, _, keeps, below in rows:
        stack = plain(name)
        assert (keeps == "x") == made.protected[stack], f"{stack}: termination protection"
        assert made.templates.dependencies[stack] <= set(names[: names.index(stack)]), (
            f"{stack} stands above what it stands on"
        )
        if below != ALL:
            told = {plain(one) for one in below.split(", ") if one}
            assert told == made.templates.dependencies[stack], (
                f"{stack} stands on {sorted(made.templates.dependencies[stack])}"
            )


def test_the_table_of_settings_is_the_settings() -> None:
    (rows,) = tables(section(PAGE, "Settings"))
    told = {plain(name): plain(default) for name, default, _ in rows}
    assert list(told) == [field.name for field in fields(Settings)]
    given = {name: json.loads(value) if value in ("true", "false") else value for name, value in told.items() if value}
    assert read(given) == Settings()
