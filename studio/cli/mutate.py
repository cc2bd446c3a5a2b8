"""`./pingvas mutate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import result, stdout
from studio.errors import Exit

if TYPE_CHECKING:
    from studio.cloud.mutation import Verdict


def register(app: typer.Typer) -> None:
    app.command()(mutate)


def mutate(
    names: Annotated[list[str] | None, typer.Argument(help="Mutations; all by default.", show_default=False)] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Name them and the promises they break.")] = False,
) -> None:
    """Break the platform in every documented way and see that the tests notice.

    Each way opens a port, drops encryption, widens a role or the like in a copy of the working tree and runs the
    property tests there; snapshots do not count, since they notice everything and understand nothing. Takes minutes.

    \b
    Examples:
      ./pingvas mutate
      ./pingvas mutate --list
      ./pingvas mutate aurora-public no-flow-logs
    """
    from studio.cloud import mutation, toolchain

    toolchain.ready()
    mutations = mutation.chosen(names or [])
    if only_list:
        for one in mutations:
            result(f"{one.name:32} {one.promise}")
        return
    console = stdout()

    def report(verdict: "Verdict") -> None:
        by = verdict.by or "no test"
        style = "" if verdict.by else "bold red"
        console.print(
            f"{verdict.outcome:8} {verdict.seconds:5.0f} s  {verdict.mutation.name:32} {by}", style=style, markup=False
        )

    verdicts = mutation.run(mutations, report)
    survived = [verdict.mutation.name for verdict in verdicts if verdict.outcome == "survived"]
    result(f"{len(verdicts) - len(survived)} of {len(verdicts)} caught")
    if survived:
        raise typer.Exit(Exit.FAILED)
