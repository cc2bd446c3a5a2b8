"""How a generation is going: a live line on a terminal, plain lines anywhere else."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from studio.cli.output import note

if TYPE_CHECKING:
    from rich.console import Console

Event = dict[str, Any]
_QUARTERS = 4


def live(console: "Console", events: Iterable[Event]) -> Event:
    """A spinner while it waits, a bar while it is drawn; returns the last event."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
    event: Event = {"status": "queued"}
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("queued", total=None)
        for event in events:
            drawing = event["status"] == "running" and event.get("steps")
            progress.update(
                task,
                description=describe(event),
                total=event["steps"] if drawing else None,
                completed=event.get("step") or 0,
            )
    return event


def plain(events: Iterable[Event]) -> Event:
    """A line when the state changes and at every quarter of the steps; returns the last event."""
    event: Event = {"status": "queued"}
    said: tuple[str, object, int] | None = None
    for event in events:
        quarter = int(_QUARTERS * (event.get("step") or 0) / event["steps"]) if event.get("steps") else 0
        now = (event["status"], event.get("queue_position"), quarter)
        if now != said:
            said = now
            note(describe(event))
    return event


def describe(event: Event) -> str:
    """One event in words.

    >>> describe({"status": "running", "step": 3, "steps": 20, "eta_seconds": 4.2})
    'drawing: step 3 of 20, 5 s left'
    """
    status, eta = event["status"], event.get("eta_seconds")
    if status == "queued":
        place = event.get("queue_position")
        text = f"queued: number {place}" if place else "queued"
        return text + (f", about {math.ceil(eta)} s" if eta else "")
    if status == "running":
        if not event.get("steps"):
            return "drawing"
        text = f"drawing: step {event.get('step') or 0} of {event['steps']}"
        return text + (f", {math.ceil(eta)} s left" if eta else "")
    return str(status)
