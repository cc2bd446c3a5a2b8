"""`deploy`, `rehearse`: the AWS layer into an account, and the same against an emulator on this machine."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.cloud import Context
from studio.cli.output import note, result, result_json, stdout
from studio.errors import Exit, StudioError, UsageError

if TYPE_CHECKING:
    from studio.cloud.deploy.checks import Finding
    from studio.cloud.rehearse.run import Outcome


def register(app: typer.Typer) -> None:
    app.command()(deploy)
    app.command()(rehearse)


def deploy(
    stacks: Annotated[
        list[str] | None, typer.Argument(help="Stacks, such as Network Data; all by default.", show_default=False)
    ] = None,
    context: Context = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", show_default=False)] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before each change; stacks deploy side by side.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Look at everything, change nothing.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="End where the zone is not delegated yet.")] = False,
    assume_delegated: Annotated[
        bool, typer.Option("--assume-delegated", help="Do not look whether the zone is delegated.")
    ] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate-signing-keys", help="New keys for picture URLs, then the stack Edge.")
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="Go on in spite of this check's problem; may be given again.", show_default=False),
    ] = None,
) -> None:
    """Deploy the AWS layer: look at everything first, then CDK in the right order.

    The preflight asks the account for what would fail an hour later: credentials, zones, offerings, quotas, names that
    are taken, CDK's bootstrap. Then Dns; then it waits until the zone is delegated, since certificates hang before
    that; then the rest. It makes the key pairs that sign picture URLs, whose private halves go to Secrets Manager
    and nowhere else. A deployment that was cut off goes on when the same command is given again.

    \b
    Examples:
      ./pingvas deploy --check -c account=123456789012
      ./pingvas deploy --profile pingvas --yes
      ./pingvas deploy Network Data --no-wait
      ./pingvas deploy --rotate-signing-keys
    """
    from studio.cloud import toolchain

    toolchain.ready()
    from studio.cloud.deploy.run import Deployment, Options

    options = Options(
        stacks=stacks or (),
        context=context or (),
        profile=profile,
        yes=yes,
        patient=not no_wait,
        assume_delegated=assume_delegated,
        rotate=rotate,
        accept=frozenset(accept or ()),
    )
    if not (yes or check or sys.stdin.isatty()):
        raise UsageError("Nobody is here to approve the changes.", advice="Give --yes, or --check to look only.")
    deployment = Deployment(options, note)
    findings = deployment.look()
    print_findings(findings, "Preflight")
    if stopping := deployment.stops(findings):
        names = ", ".join(dict.fromkeys(one.check for one in stopping))
        raise StudioError(f"{len(stopping)} problems: {names}.", advice="Nothing was changed.")
    if check:
        return
    commands = deployment.run()
    result("Deployed.")
    if commands:
        result("These secrets hold placeholders, and only you know the values:")
        for command in commands:
            result(f"  {command}")


def print_findings(findings: "list[Finding]", title: str) -> None:
    """A table of what was found, and below it what to do, in lines that can be copied."""
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "", "warning": "yellow", "problem": "bold red"}
    table = Table(title=title, title_justify="left")
    for column in ("check", "", "found"):
        table.add_column(column)
    for one in findings:
        table.add_row(Text(one.check), one.state, Text(one.found), style=styles[one.state])
    stdout().print(table)
    if told := [one for one in findings if one.advice and one.state != "ok"]:
        result("What to do:")
        for one in told:
            result(f"  {one.check}: {one.advice}")


def rehearse(
    context: Context = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the run's folder and say where it is.")] = False,
    json_wanted: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Deploy everything to an AWS emulator on this machine, twice, change it, destroy it. No account is needed.

    The real `cdk bootstrap` and `cdk deploy` against a server of its own: what the emulator can make it makes, the rest
    are records checked by AWS's published resource schemas. The second deployment must change nothing, the third
    exactly what two settings change, and deletion must find its order. What this cannot prove is printed too. About
    half a minute; exits with 1 and the resource that failed.

    \b
    Examples:
      ./pingvas rehearse
      ./pingvas rehearse -c region=ap-northeast-2 --keep
    """
    from studio.cloud import toolchain

    toolchain.ready()
    from studio.cloud.rehearse.run import Rehearsal

    folder = Path(tempfile.mkdtemp(prefix="pingvas-rehearsal-"))
    try:
        outcome = Rehearsal(folder, context=context or (), say=note).run()
    finally:
        if keep:
            note(f"Left in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if json_wanted:
        result_json(as_json(outcome))
    else:
        _print(outcome)
    if outcome.failure:
        raise typer.Exit(Exit.FAILED)


def as_json(outcome: "Outcome") -> dict[str, object]:
    """An outcome as plain values."""
    from studio.cloud.rehearse.run import UNPROVEN

    return {
        "region": outcome.region,
        "ok": not outcome.failure,
        "failure": outcome.failure,
        "seconds": round(outcome.seconds, 1),
        "phases": [
            {"name": one.name, "seconds": round(one.seconds, 1), "detail": one.detail} for one in outcome.phases
        ],
        "made": dict(sorted(outcome.made.items())),
        "recorded": dict(sorted(outcome.recorded.items())),
        "imports": outcome.imports,
        "not_proven": list(UNPROVEN),
    }


def _print(outcome: "Outcome") -> None:
    from rich.table import Table

    from studio.cloud.rehearse.run import UNPROVEN

    phases = Table(title=f"Rehearsal in {outcome.region}: {outcome.seconds:.0f} s", title_justify="left")
    phases.add_column("phase")
    phases.add_column("seconds", justify="right")
    phases.add_column("what happened")
    for phase in outcome.phases:
        phases.add_row(phase.name, f"{phase.seconds:.1f}", phase.detail)
    if outcome.failure:
        phases.add_row(outcome.failure.partition(":")[0], "", "failed", style="bold red")
    kinds = Table(title="Resources of the first deployment", title_justify="left")
    kinds.add_column("type", overflow="fold")
    kinds.add_column("made by the emulator", justify="right")
    kinds.add_column("recorded by schema", justify="right")
    made, recorded = outcome.made, outcome.recorded
    for kind in sorted(made | recorded):
        kinds.add_row(kind, str(made[kind] or ""), str(recorded[kind] or ""))
    kinds.add_section()
    kinds.add_row("all", str(made.total()), str(recorded.total()))
    console = stdout()
    console.print(phases)
    if outcome.failure:
        console.print(outcome.failure, style="bold red", markup=False)
        return
    console.print(kinds)
    console.print(
        f"{outcome.imports} values went from stack to stack by export, each made before it was read; every property "
        "was checked against AWS's schema of its type."
    )
    console.print("This does not prove:", style="bold")
    for one in UNPROVEN:
        console.print(f"  - {one}", markup=False)
