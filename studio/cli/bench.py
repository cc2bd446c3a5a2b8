"""`./pingvas bench`."""

from enum import StrEnum
from typing import Annotated

import typer


class Benchmark(StrEnum):
    """What can be measured."""

    CREATE = "create"
    JOBS = "jobs"
    SYNTHESIS = "synthesis"


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)


def bench(
    which: Annotated[Benchmark | None, typer.Argument(help="One of them; all by default.", show_default=False)] = None,
) -> None:
    """Measure, against a baseline in the same run, and print tables.

    \b
    create     accepted generations a second, against a minimal route by hand
    jobs       what the platform adds to a picture; a worker against a plain loop
    synthesis  templates and manifests, against apps that import the same

    Servers of its own in a temporary folder; a busy machine gives poor figures.

    \b
    Examples:
      ./pingvas bench
      ./pingvas bench create
    """
    from importlib import import_module

    for name in [which] if which else list(Benchmark):
        import_module(f"bench.{name.value}").main()
