"""`./pingvas chaos`."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import note, result_json, stdout
from studio.errors import Exit

if TYPE_CHECKING:
    from studio.chaos.run import Outcome


def register(app: typer.Typer) -> None:
    app.command("chaos")(chaos)


def chaos(
    generations: Annotated[int, typer.Option(min=1, help="Requests in all.")] = 200,
    users: Annotated[int, typer.Option(min=2, help="Users that ask at once.")] = 20,
    workers: Annotated[int, typer.Option(min=1, max=4, help="Workers, one of which is killed every few seconds.")] = 2,
    kill_every: Annotated[float, typer.Option(min=1, help="Seconds between two kills, on average.")] = 6.0,
    steps: Annotated[int, typer.Option(min=1, max=50, help="Denoising steps of each picture.")] = 8,
    seed: Annotated[int, typer.Option(help="Plans requests and faults.")] = 1,
    json_wanted: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the run's folder and say where it is.")] = False,
) -> None:
    """Break a studio on purpose and check that no job is lost and none is charged twice.

    Starts a studio of its own in a temporary folder (yours is not touched), lets many users ask at once, kills
    workers every few seconds, empties and kills Valkey once, kills PostgreSQL once, and then checks the job
    protocol's invariants. Takes some minutes; exits with 1 if an invariant is broken.

    \b
    Examples:
      ./pingvas chaos
      ./pingvas chaos --generations 40 --users 5 --kill-every 4 --seed 7
    """
    from studio.chaos.run import Plan, run
    from studio.home import Home

    folder = Path(tempfile.mkdtemp(prefix="pingvas-chaos-"))
    folder.chmod(0o711)
    plan = Plan(generations, users, workers, kill_every, steps, seed)
    note(f"{generations} generations of {users} users; a worker is killed every {kill_every:g} s or so")
    try:
        outcome = run(plan, Home(folder).prepare())
    finally:
        if keep:
            note(f"Left in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if json_wanted:
        result_json(as_json(outcome))
    else:
        _print(outcome)
    if not outcome.holds:
        raise typer.Exit(Exit.FAILED)


def as_json(outcome: "Outcome") -> dict[str, object]:
    """An outcome as plain values."""
    return {
        "seconds": round(outcome.seconds, 1),
        "ends": dict(outcome.ends),
        "faults": outcome.struck,
        "requests_sent_again": outcome.repeated_requests,
        "jobs_with_several_attempts": outcome.repeated_jobs,
        "checks": [
            {"name": check.name, "looked_at": check.looked_at, "broken": list(check.broken)} for check in outcome.checks
        ],
    }


def _print(outcome: "Outcome") -> None:
    from rich.table import Table

    table = Table(title=f"Chaos, seed {outcome.plan.seed}: {outcome.seconds:.0f} s", title_justify="left")
    table.add_column("what")
    table.add_column("looked at", justify="right")
    table.add_column("broken", justify="right")
    for name, count in sorted(outcome.struck.items()):
        table.add_row(f"fault: {name}", str(count), "")
    for name, count in sorted(outcome.ends.items()):
        table.add_row(f"end: {name}", str(count), "")
    table.add_row("requests that had to be sent again", str(outcome.repeated_requests), "")
    table.add_row("jobs that needed several attempts", str(outcome.repeated_jobs), "")
    table.add_section()
    for check in outcome.checks:
        table.add_row(check.name, str(check.looked_at), str(len(check.broken)), style="" if check.holds else "bold red")
    console = stdout()
    console.print(table)
    for check in outcome.checks:
        for sentence in list(check.broken)[:5]:
            console.print(f"{check.name}: {sentence}", style="red", markup=False)
    console.print("Every invariant holds." if outcome.holds else "An invariant is broken.", style="bold")
