"""The command line: one module a group of commands, each with `register(app)`; whatever is heavy is imported inside.

A group more is one line in `GROUPS`.
"""

import errno
import inspect
import sys
from importlib import import_module

import typer

from studio.cli.output import complain
from studio.errors import Exit, SetupError, StudioError

GROUPS = (
    "studio.cli.running",
    "studio.cli.generate",
    "studio.cli.single",
    "studio.cli.development",
    "studio.cli.chaos",
    "studio.cli.bench",
    "studio.cli.starter",
    "studio.cli.cloud",
    "studio.cli.cost",
    "studio.cli.capacity",
    "studio.cli.drawing",
    "studio.cli.network",
    "studio.cli.mutate",
    "studio.cli.deploy",
    "studio.cli.bootstrap",
)
HELP = """
[bold]Pingvas Studio[/]: a prompt in, a picture out. The same five services, queue, worker and database that run in
the cloud, on this machine.

\b
  ./pingvas generate "a red circle on a blue background" -o out.png
  ./pingvas up            everything, at http://127.0.0.1:8000

Data lies in .data of the project, or where PINGVAS_HOME says. Any PINGVAS_* variable that is set wins over the
embedded default: PINGVAS_DATABASE_URL, PINGVAS_REDIS_URL, PINGVAS_STORAGE_URL and so on.
"""
EPILOG = (
    "Exit codes: 0 fine; 1 a generation, a test, a check or a deployment failed; 2 wrong usage; 3 the studio is not "
    "running or cannot be reached; 4 a port is taken or the studio runs already; 5 set-up or the data folder is in "
    "trouble; 130 interrupted."
)


class _Debug:
    on = False


def build() -> typer.Typer:
    """The application with every group."""
    app = typer.Typer(
        help=_flowing(HELP),
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error.")) -> None:
        _Debug.on = debug

    for group in GROUPS:
        import_module(group).register(app)
    for command in app.registered_commands:
        command.help = _flowing(inspect.getdoc(command.callback) or "")
    return app


def _flowing(text: str) -> str:
    """Joins the lines of each paragraph, which Typer would break as the source does; `\\b` marks those to keep."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(one if one.startswith("\b") else " ".join(one.split()) for one in paragraphs)


def run(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit code; errors are one message, never a traceback."""
    code = _run(arguments)
    if code == Exit.INTERRUPTED:
        # The terminal interrupted helpers too, jsii's Node for one, and what ends them at exit complains about that.
        sys.unraisablehook = lambda _: None
    return code


def _run(arguments: list[str] | None) -> int:
    try:
        build()(args=arguments, prog_name="./pingvas")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.OK
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has seen enough; Python would complain at its own exit otherwise.
        sys.stderr.close()
        return Exit.OK
    except Exception as error:
        if _Debug.on:
            raise
        known = _known(error)
        complain(known.message, known.advice)
        return known.code
    return Exit.OK


def _known(error: Exception) -> StudioError:
    if isinstance(error, StudioError):
        return error
    from blueprint.rules import RuleError

    if isinstance(error, RuleError):
        return StudioError(str(error))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SetupError(f"The disk is full ({error.filename or 'no file named'}).", advice="Free some space.")
    if isinstance(error, PermissionError):
        return SetupError(f"No permission: {error.filename or error}.", advice="Run it as the owner of that file.")
    text = " ".join(str(error).split())[:300] or "no message"
    if type(error).__name__ == "SettingMissingError" or (isinstance(error, ValueError) and text.startswith("PINGVAS_")):
        return SetupError(text, advice="Correct that variable.")
    return StudioError(
        f"Something unexpected happened: {type(error).__name__}: {text}",
        advice="`./pingvas --debug ...` shows where.",
    )
