"""The command line: every error is one message with what to do and the exit code that `--help` promises."""

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.main import get_command

from blueprint.rules import RuleError
from studio.cli import build, run
from studio.environment import settings_of
from studio.errors import Exit, SetupError
from studio.home import PROJECT, Home
from studio.own import check_database, check_redis
from studio.processes import LOOPBACK, free_port
from studio.state import Lock, State
from tests.studio.conftest import studio

SECRET = "0f9a3c5e7b1d0f9a3c5e7b1d0f9a3c5e"
Captured = pytest.CaptureFixture[str]
COMMANDS = sorted(get_command(build()).commands)  # type: ignore[attr-defined]
COLUMNS = 78
"""What a narrow terminal's 80 leave to a line of help."""


@pytest.fixture
def own(home: Home, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Servers of the caller's own, none of which is there."""
    for role in ("", "WORKER_", "OWNER_"):
        monkeypatch.setenv(f"PINGVAS_DATABASE_{role}URL", "postgresql+psycopg://app@127.0.0.1:1/pingvas_saas")
    monkeypatch.setenv("PINGVAS_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("PINGVAS_STORAGE_URL", home.images.as_uri())
    monkeypatch.setenv("PINGVAS_JWT_SECRET", SECRET)
    return monkeypatch


def test_help_lists_every_command_and_every_exit_code(capsys: Captured) -> None:
    assert run(["--help"]) == Exit.OK
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"│ {command} " in text
    for code in Exit:
        assert str(int(code)) in text.split("Exit codes", 1)[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_shows_how_it_is_used(command: str, capsys: Captured) -> None:
    assert run([command, "--help"]) == Exit.OK
    text = capsys.readouterr().out
    examples = [line for line in text.split("Examples:", 1)[1].splitlines() if "./pingvas" in line]
    assert any(f"./pingvas {command}" in line for line in examples)
    assert all(line.count("./pingvas") == 1 for line in examples)
    written = get_command(build()).commands[command].help  # type: ignore[attr-defined]
    kept = [part for part in written.split("\n\n") if part.startswith("\b")]
    assert kept
    assert all(len(line) <= COLUMNS for part in kept for line in part.splitlines()), "a narrow terminal breaks it"


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["up", "--port", "0"], ["up", "--port", "x"], ["up", "--workers", "99"], ["generate"]],
    ids=" ".join,
)
def test_wrong_usage_is_2(home: Home, arguments: list[str], capsys: Captured) -> None:
    assert run(arguments) == Exit.USAGE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["status"], Exit.NOT_RUNNING, "No studio runs in"),
        (["logs"], Exit.NOT_RUNNING, "nothing was started here yet"),
        (["serve", "user"], Exit.NOT_RUNNING, "up --detach"),
        (["worker"], Exit.NOT_RUNNING, "PINGVAS_DATABASE_URL"),
        (["migrate"], Exit.NOT_RUNNING, "up --detach"),
        (["serve", "nonsense"], Exit.USAGE, "user, payment, generation, gallery, model"),
        (["reset"], Exit.USAGE, "--yes"),
        (["generate", "x", "--size", "big"], Exit.USAGE, "128x128"),
        (["generate", " "], Exit.USAGE, "The prompt is empty"),
        (["generate", "x", "--steps", "0"], Exit.USAGE, "--steps 0"),
        (["generate", "x", "--n", "0"], Exit.USAGE, "--n 0"),
        (["generate", "x", "--size", "0x64"], Exit.USAGE, "--size '0x64'"),
        (["generate", "x", "-o", "picture.jpg"], Exit.USAGE, "out.png"),
        (["generate", "x", "-o", "/nowhere/out.png"], Exit.USAGE, "There is no folder /nowhere"),
        (["synth", "--check", "--only", "aws"], Exit.USAGE, "--check is about gitops/, which --only aws leaves"),
        (["synth", "--check", "--output", "x"], Exit.USAGE, "--check is about gitops/, which --output leaves"),
        (["synth", "--from-account", "--only", "aws"], Exit.USAGE, "--from-account is about gitops/"),
        (["synth", "--only", "kubernetes", "--output", "x"], Exit.USAGE, "--output is for the templates"),
        (["synth", "--only", "kubernetes", "-c", "region=x"], Exit.USAGE, "none are written here"),
        (["synth", "--check", "-c", "region=x"], Exit.USAGE, "none are written here"),
    ],
)
def test_a_message_and_a_code(home: Home, arguments: list[str], code: Exit, words: str, capsys: Captured) -> None:
    home.secrets()
    assert run(arguments) == code
    error = capsys.readouterr().err
    assert error.startswith("pingvas: ")
    assert words in error
    assert "Traceback" not in error


def test_down_and_reset_have_nothing_to_do_without_a_studio(home: Home, capsys: Captured) -> None:
    assert run(["down"]) == Exit.OK
    assert run(["reset", "--yes"]) == Exit.OK
    assert "There is no data" in capsys.readouterr().out


def test_reset_deletes_everything(home: Home) -> None:
    home.secrets()
    (home.images / "one.png").touch()
    assert run(["reset", "--yes"]) == Exit.OK
    assert not home.root.exists()


def test_up_names_the_taken_port_and_the_option(home: Home, capsys: Captured) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        assert run(["up", "--port", str(port), "--quiet"]) == Exit.BUSY
    error = capsys.readouterr().err
    assert f"Port {port} is taken" in error
    assert "--port" in error


def test_up_twice_says_where_the_first_is(home: Home, capsys: Captured) -> None:
    with Lock(home):
        State(os.getpid(), "http://127.0.0.1:8000", time.time(), ready=True).write(home)
        for arguments in (["up"], ["up", "--detach"]):
            assert run(arguments) == Exit.BUSY
            assert f"already running at http://127.0.0.1:8000 (pid {os.getpid()})" in capsys.readouterr().err


def test_a_data_folder_that_cannot_be_written_is_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PINGVAS_HOME", str(tmp_path / "file" / "home"))
    assert run(["up"]) == Exit.SETUP
    error = capsys.readouterr().err
    assert "Cannot use the data folder" in error
    assert "PINGVAS_HOME" in error


def test_half_a_database_of_one_s_own_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("PINGVAS_DATABASE_URL", "postgresql+psycopg://app@db/pingvas_saas")
    assert run(["up", "--quiet", "--port", str(free_port())]) == Exit.USAGE
    assert "PINGVAS_DATABASE_WORKER_URL" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["serve", "generation"], ["worker"], ["migrate"]], ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PINGVAS_DEVICE", "tpu", "PINGVAS_DEVICE: Input should be"),
        ("PINGVAS_RENEW_SECONDS", "50", "\nPINGVAS_RENEW_SECONDS must be"),
        ("PINGVAS_ENV", "prod", "PINGVAS_"),
        ("PINGVAS_REDIS_URL", f"redis://:{SECRET}@host:port/0", "PINGVAS_REDIS_URL is no address"),
        ("PINGVAS_REDIS_URL", f"http://:{SECRET}@host/0", "PINGVAS_REDIS_URL is no address"),
        ("PINGVAS_STORAGE_URL", f"ftp://{SECRET}@host", "PINGVAS_STORAGE_URL is no place"),
        ("PINGVAS_DATABASE_OWNER_URL", f"postgresql://a:{SECRET}@host/x", "PINGVAS_DATABASE_OWNER_URL is no address"),
        ("PINGVAS_DATABASE_OWNER_URL", f"a:{SECRET}@host", "PINGVAS_DATABASE_OWNER_URL is no address"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    own: pytest.MonkeyPatch, command: list[str], variable: str, value: str, words: str, capsys: Captured
) -> None:
    own.setenv(variable, value)
    own.setattr("os.execvpe", lambda *_: pytest.fail("a worker started with these settings"))
    if variable == "PINGVAS_ENV":
        own.delenv("PINGVAS_JWT_SECRET")
        if command != ["serve", "generation"]:
            return  # the others sign nothing
    port = ["--port", str(free_port())] if command[0] == "serve" else []
    assert run([*command, *port]) == Exit.SETUP
    error = capsys.readouterr().err
    assert words in error
    assert "Value error" not in error
    assert SECRET not in error


def test_a_database_of_one_s_own_that_is_away_is_named(own: pytest.MonkeyPatch, capsys: Captured) -> None:
    own.setenv("PINGVAS_DATABASE_OWNER_URL", f"postgresql+psycopg://app:{SECRET}@127.0.0.1:1/pingvas_saas")
    assert run(["migrate"]) == Exit.SETUP
    error = capsys.readouterr().err
    assert "PINGVAS_DATABASE_OWNER_URL cannot be reached" in error
    assert SECRET not in error


def test_servers_of_one_s_own_that_are_away_stop_the_start(home: Home, own: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match="PINGVAS_REDIS_URL does not answer"):
        check_redis(settings_of(os.environ))
    with pytest.raises(SetupError, match="PINGVAS_DATABASE_URL cannot be reached"):
        check_database(settings_of(os.environ), "database_url")


def test_starter_passes_everything_on(home: Home) -> None:
    done = studio("starter", "evaluate", "--help", home=home.root)
    assert done.returncode == Exit.OK
    assert "--prompts" in done.stdout
    assert studio("starter", "evaluate", "--prompts", "many", home=home.root).returncode == Exit.USAGE


def test_the_unexpected_is_one_line_and_debug_shows_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the roof fell in")

    monkeypatch.setattr("studio.report.report", fail)
    assert run(["status"]) == Exit.FAILED
    assert "RuntimeError: the roof fell in" in capsys.readouterr().err
    with pytest.raises(RuntimeError):
        run(["--debug", "status"])


def test_a_number_that_cannot_be_is_named_and_no_surprise(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def fail(*_: object) -> None:
        raise RuleError("facts.edge_and_cache", "foo", "must be one of aws, in-cluster")

    monkeypatch.setattr("studio.report.report", fail)
    assert run(["status"]) == Exit.FAILED
    assert capsys.readouterr().err == "pingvas: facts.edge_and_cache = foo: must be one of aws, in-cluster\n"


def test_an_interrupt_is_silent_where_a_helper_was_interrupted_too(home: Home) -> None:
    program = """
import atexit, sys
import studio.report
from studio.cli import run
def report(*_): raise KeyboardInterrupt
def end(): raise BrokenPipeError("Node has gone")
studio.report.report = report
atexit.register(end)
sys.exit(run(["status"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (Exit.INTERRUPTED, "", "")


@pytest.mark.slow
def test_a_test_that_does_not_exist_is_said(home: Home) -> None:
    done = studio("test", "tests/nowhere.py", home=home.root)
    assert done.returncode == Exit.FAILED
    assert "Is there such a path or name: tests/nowhere.py?" in done.stderr


def test_help_starts_in_under_a_second(home: Home) -> None:
    def used() -> float:
        told = resource.getrusage(resource.RUSAGE_CHILDREN)
        return told.ru_utime + told.ru_stime

    # Of the processor: the clock would measure what else this machine does.
    before = used()
    assert studio("--help", home=home.root).returncode == Exit.OK
    assert used() - before < 1


def test_heavy_libraries_are_not_imported_for_help(home: Home) -> None:
    done = studio("version", home=home.root, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == Exit.OK
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if "import time" in line}
    assert not imported & {"torch", "fastapi", "sqlalchemy", "celery", "psycopg", "httpx"}
