"""Tables as benchmarks print them, with the machine they ran on."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

Row = Sequence[str]


def table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    shown = Table(title=f"{title}\n{machine()}", title_justify="left")
    for number, column in enumerate(columns):
        shown.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        shown.add_row(*row)
    Console(width=max(100, Console().width)).print(shown)


def machine() -> str:
    """Processor, cores and load, in a line: what a figure is worth nothing without."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
