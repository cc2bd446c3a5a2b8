"""Tables that repeat what the code says, held to it: settings, dependencies, exit codes."""

import re
import tomllib
from pathlib import Path

from pydantic import SecretStr

from services.generation import errors
from services.kernel.errors import PingvasError
from services.kernel.settings import Settings
from studio.errors import Exit
from tests.docs.markdown import ROOT, pages, section, tables

OPERATIONS = ROOT / "docs" / "operations.md"
DECISIONS = ROOT / "docs" / "decisions.md"
REQUEST = ROOT / "docs" / "architecture" / "request.md"
VARIABLE = re.compile(r"\bPINGVAS_[A-Z][A-Z_]*[A-Z]\b")


def plain(cell: str) -> str:
    return cell.strip("`")


def test_the_settings_table_is_the_settings() -> None:
    settings, _ = tables(section(OPERATIONS, "Settings"))
    told = {plain(variable): plain(default) for variable, default, _ in settings}
    assert told == {f"PINGVAS_{field.upper()}": shown(default) for field, default in defaults().items()}
    assert len(told) == len(settings), "a setting stands there twice"


def defaults() -> dict[str, object]:
    return {field: about.get_default() for field, about in Settings.model_fields.items()}


def shown(default: object) -> str:
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, float):
        return f"{default:g}"
    return "" if default is None else str(default)


def test_every_variable_that_a_page_names_exists() -> None:
    known = {f"PINGVAS_{field.upper()}" for field in Settings.model_fields}
    _, own = tables(section(OPERATIONS, "Settings"))
    of_the_command = {plain(variable) for variable, _, _ in own}
    sources = [ROOT / "pingvas", *(ROOT / "studio").glob("*.py")]
    read = set(VARIABLE.findall("\n".join(path.read_text() for path in sources)))
    assert of_the_command == (read - known) & of_the_command, "the command reads no such variable"
    for page in pages():
        strange = set(VARIABLE.findall(page.read_text())) - known - of_the_command
        assert not strange, f"{page.relative_to(ROOT)} names {', '.join(sorted(strange))}"


def requirements() -> tuple[set[str], set[str]]:
    """What runs, and what only development needs."""
    running, development = set[str](), set[str]()
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        first, _, second = path.read_text().partition("# development\n")
        running |= packages(first)
        development |= packages(second)
    return running, development


def packages(text: str) -> set[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {re.split(r"[\[=<>~!; ]", line, maxsplit=1)[0].lower() for line in lines}


def test_every_requirement_has_its_reason_and_no_other_has() -> None:
    for heading, wanted in zip(("Dependencies", "Development"), requirements(), strict=True):
        (rows,) = tables(section(DECISIONS, heading))
        told = [plain(package) for package, _, _ in rows]
        assert sorted(told) == sorted(wanted), f"{heading} and requirements/ differ"
        assert all(purpose and reason for _, purpose, reason in rows)


def test_every_choice_has_its_reason() -> None:
    text = DECISIONS.read_text()
    assert all(all(row) for table in tables(text) for row in table)


def test_the_refusals_are_those_of_the_generation_service() -> None:
    (rows,) = tables(section(REQUEST, "What is refused, and nothing changes"))
    told = {code: int(status) for status, codes, _ in rows for code in re.findall(r"`(\w+)`", codes)}
    known = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, PingvasError)]
    raised = [one for one in known if one.__module__ == errors.__name__]
    assert raised
    for one in raised:
        assert told.get(one.code) == one.status, f"{one.code} {one.status} is not in the table"
    sources = "\n".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))
    assert [code for code in told if f'"{code}"' not in sources] == []


def test_the_exit_codes_are_those_of_the_command() -> None:
    (rows,) = tables(section(OPERATIONS, "Exit codes"))
    assert [int(code) for code, _ in rows] == sorted(Exit)


def test_the_readme_says_what_ci_runs() -> None:
    command = re.search(r"^exec (\./pingvas test[^<]*?) *<", Path(ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert command is not None
    assert command[1] in (ROOT / "README.md").read_text()


def test_the_licence_is_the_one_that_the_readme_names() -> None:
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert "Python 3.11 or newer" in (ROOT / "README.md").read_text()
