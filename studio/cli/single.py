"""`serve`, `worker`, `migrate`: one process alone, as in its container."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import note, result
from studio.errors import NotRunningError, SetupError, UsageError

if TYPE_CHECKING:
    from services.kernel.settings import Settings


def register(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(worker)
    app.command()(migrate)


def serve(
    name: Annotated[str, typer.Argument(help="user, payment, generation, gallery or model.", show_default=False)],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; the service's own by default.")] = None,
) -> None:
    """Serve one service alone, as its container does.

    Reads PINGVAS_DATABASE_URL, PINGVAS_REDIS_URL and the other PINGVAS_* variables; where they are not set it joins
    the studio that runs on this machine.

    \b
    Examples:
      ./pingvas serve generation
      ./pingvas serve user --host 0.0.0.0 --port 8001
    """
    from blueprint.services import SERVICES

    if name not in SERVICES:
        raise UsageError(f"There is no service {name!r}.", advice=f"There are {', '.join(SERVICES)}.")
    settings = _settings(_join(), "database_url")
    from fastapi import FastAPI

    from services.kernel import logs
    from services.kernel.http.app import load
    from studio.serving import serve as serve_app

    def make() -> tuple[FastAPI, list[FastAPI]]:
        logs.configure(settings, name)
        app = load(name)(settings)
        note(f"{SERVICES[name].title} at http://{host}:{chosen}, its API page at {SERVICES[name].docs_path}")
        return app, [app]

    chosen = port or SERVICES[name].port
    serve_app(make, host=host, port=chosen)


def worker() -> None:
    """Run one GPU worker alone, as its container does.

    Joins the studio that runs on this machine unless PINGVAS_* variables name another. Ctrl-C hands the job under
    way back to the queue.

    \b
    Examples:
      ./pingvas worker
      PINGVAS_DEVICE=cuda ./pingvas worker
    """
    environment = _join()
    _settings(environment, "database_worker_url", "storage_url")
    from studio.runtime import worker_command

    command = [str(part) for part in worker_command()]
    sys.stdout.flush()
    os.execvpe(command[0], command, environment)  # noqa: S606 (becomes the worker, signals and all)


def migrate() -> None:
    """Bring the tables up to date, as the migration Job does.

    Needs PINGVAS_DATABASE_OWNER_URL, or a studio that runs on this machine.

    \b
    Examples:
      ./pingvas migrate
    """
    settings = _settings(_join(), "database_owner_url")
    from studio.own import check_database, migrated

    check_database(settings, "database_owner_url")
    migrated(settings)
    result(f"The schema {settings.schema_name} is up to date.")


def _settings(environment: dict[str, str], *needed: str) -> "Settings":
    """The settings of one process. Raises SetupError, which names the variable that is missing or does not fit."""
    from studio.environment import settings_of
    from studio.own import check_addresses

    settings = settings_of(environment)
    for name in needed:
        value = getattr(settings, name)
        if not (value if isinstance(value, str) or value is None else value.get_secret_value()):
            raise SetupError(f"PINGVAS_{name.upper()} is not set.", advice="Set it, or unset all PINGVAS_* variables.")
    check_addresses(settings)
    return settings


def _join() -> dict[str, str]:
    """Takes over the variables of the local studio for what the caller's own leave open; returns them all."""
    from studio.environment import DATABASE_VARIABLES, REDIS_VARIABLE, Parts
    from studio.home import find_home
    from studio.state import running

    own = any(os.environ.get(name) for name in DATABASE_VARIABLES.values())
    if own and os.environ.get(REDIS_VARIABLE):
        return dict(os.environ)
    home = find_home()
    if running(home) is None:
        raise NotRunningError(
            f"No studio runs in {home.root}, and PINGVAS_DATABASE_URL and PINGVAS_REDIS_URL are not both set.",
            advice="`./pingvas up --detach` starts one.",
        )
    os.environ.update(Parts.of(home, running=True).environment())
    return dict(os.environ)
