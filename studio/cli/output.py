"""What commands print: results to standard output, everything else to standard error."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> "Console":
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def result(text: str) -> None:
    """A line of the command's result, as it is."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result_json(value: Mapping[str, Any]) -> None:
    result(json.dumps(value, indent=2, default=str))


def note(text: str) -> None:
    """Something to know while a command works; plain where no terminal shows it."""
    stderr().print(text, style="dim", markup=False)


def warn(text: str) -> None:
    stderr().print(text, style="yellow", markup=False)


def complain(message: str, advice: str = "") -> None:
    """An error: what happened, and what to do."""
    console = stderr()
    console.print("pingvas: ", style="bold red", end="")
    console.print(message, markup=False)
    if advice:
        console.print(advice, style="dim", markup=False)
