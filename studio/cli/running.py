"""`up`, `status`, `down`, `reset`, `logs`: the studio as a whole."""

import sys
from typing import Annotated

import typer

from blueprint.services import GATEWAY_PORT
from studio.cli.output import note, result, result_json, stdout, warn
from studio.errors import Exit, NotRunningError, UsageError

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the one origin, on 127.0.0.1.")]
Workers = Annotated[int, typer.Option(min=0, max=16, help="How many workers draw at the same time.")]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(status)
    app.command()(down)
    app.command()(reset)
    app.command()(logs)


def up(
    port: Port = GATEWAY_PORT,
    workers: Workers = 1,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Start none; jobs wait in the queue.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it is ready; it goes on.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write the log to its file alone.")] = False,
) -> None:
    """Start everything and stay with its log.

    PostgreSQL and Valkey, the five services at one address, the worker. Ctrl-C ends it in order; what dies
    before is started again.

    \b
    Examples:
      ./pingvas up
      ./pingvas up --port 9000 --workers 2
      ./pingvas up --detach
    """
    from studio import background
    from studio.console import Log, terminal
    from studio.home import find_home
    from studio.runtime import Studio

    home = find_home().prepare()
    count = 0 if no_worker else workers
    if detach:
        from studio.state import Lock

        with Lock(home):
            pass
        state = background.start(home, port=port, workers=count)
        result(f"Studio ready at {state.url} ({state.start_seconds:.1f} s), pid {state.pid}. ./pingvas down ends it.")
        for one in state.unready:
            warn(f"{one}. ./pingvas logs services says more.")
        return
    log = Log(home.logs / "studio.log", None if quiet else terminal())
    try:
        Studio(home, log, port, count).run()
    finally:
        log.close()


def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Say what runs and where its data lies.

    Exits with 3 when no studio runs.

    \b
    Examples:
      ./pingvas status
      ./pingvas status --json
    """
    from studio.home import find_home
    from studio.report import report

    home = find_home()
    found = report(home)
    if as_json:
        result_json(found)
        raise typer.Exit(Exit.OK if found["running"] else Exit.NOT_RUNNING)
    if not found["running"]:
        raise NotRunningError(
            f"No studio runs in {home.root}.",
            advice="`./pingvas up` starts it; `./pingvas generate` does so by itself.",
        )
    from rich.table import Table

    console = stdout()
    head = "ready" if found["ready"] else "starting"
    console.print(
        f"[bold]{head}[/] at [link={found['url']}]{found['url']}[/]  pid {found['pid']}  up {found['uptime']}"
    )
    table = Table("part", "state", "", box=None, header_style="dim", pad_edge=False)
    for part in found["parts"]:
        colour = {"ok": "green", "starting": "yellow"}.get(part["state"], "red")
        table.add_row(part["name"], f"[{colour}]{part['state']}[/]", part["detail"])
    console.print(table)
    console.print(f"data  {found['home']}", markup=False)


def down() -> None:
    """End the studio and everything it started.

    Nothing is lost: jobs that wait or were under way go on at the next start.

    \b
    Examples:
      ./pingvas down
    """
    from studio import background
    from studio.home import find_home

    home = find_home()
    state = background.stop(home)
    result(f"Ended the studio at {state.url}." if state else f"No studio runs in {home.root}; nothing to do.")


def reset(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete all data of this studio, after asking.

    Accounts, pictures, jobs, logs and secrets. It ends the studio first.

    \b
    Examples:
      ./pingvas reset
      PINGVAS_HOME=/tmp/try ./pingvas reset --yes
    """
    from studio import background
    from studio.home import find_home

    home = find_home()
    if not home.exists:
        result(f"There is no data in {home.root}.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"This deletes all data in {home.root}, and nobody is here to ask.", advice="Add --yes.")
        if not typer.confirm(f"Delete all data in {home.root}?", err=True):
            note("Nothing was deleted.")
            raise typer.Exit(Exit.INTERRUPTED)
    background.stop(home)
    home.delete()
    result(f"Deleted the data in {home.root}.")


def logs(
    name: Annotated[str | None, typer.Argument(help="studio, services, worker, postgres, valkey.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
) -> None:
    """Show the log of the studio, or of one part of it.

    \b
    Examples:
      ./pingvas logs -f
      ./pingvas logs worker -n 200
      ./pingvas logs postgres
    """
    from studio.home import find_home
    from studio.logfile import SERVERS, last_lines, new_lines

    home = find_home()
    path = home.logs / (f"{name}.log" if name in SERVERS else "studio.log")
    part = None if name in SERVERS else name
    if not path.exists():
        raise NotRunningError(f"There is no log in {home.logs}: nothing was started here yet.", advice="./pingvas up")
    shown = last_lines(path, part, lines)
    if not shown and part is not None and not follow:
        raise UsageError(
            f"The log has no line of {part!r}.",
            advice="Its parts: studio, services, worker, worker-2, postgres, valkey.",
        )
    for line in shown:
        result(line)
    if follow:
        for line in new_lines(path, part):
            result(line)
