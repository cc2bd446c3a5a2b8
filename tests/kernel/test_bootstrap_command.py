"""`python -m services.kernel.bootstrap`, as the Job runs it: a real server, passwords in files, errors of one line."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from blueprint.environments import CLUSTER_ENVIRONMENTS, DATABASE, DEV, PROD, ROLES, Environment
from services.kernel import bootstrap
from studio.home import PROJECT
from studio.postgres import Postgres
from studio.processes import free_port

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Postgres]:
    """A server that nobody has bootstrapped; roles belong to a server, and other tests make theirs otherwise."""
    made = Postgres(
        place / "bootstrapped", port=free_port(), password=secrets.token_hex(16), log=place / "bootstrapped.log"
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Passwords of both environments, as the Secret is mounted."""
    for environment in CLUSTER_ENVIRONMENTS:
        (tmp_path / environment.name).mkdir()
        for role in ROLES:
            (tmp_path / environment.name / f"db-{role}").write_text(f"{secrets.token_hex(16)}\n")
    return tmp_path


@pytest.fixture
def run(server: Postgres, folder: Path) -> Run:
    def call(*environments: str, url: str | None = None) -> object:
        variables = {"PINGVAS_DATABASE_ADMIN_URL": server.admin_url if url is None else url}
        return subprocess.run(
            [sys.executable, "-m", "services.kernel.bootstrap", "--passwords", folder, *environments],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], **{name: value for name, value in variables.items() if value}},
            capture_output=True,
            text=True,
            check=False,
        )

    return call  # type: ignore[return-value]


def signs_in(server: Postgres, environment: Environment, role: str, folder: Path) -> tuple[str, ...]:
    word = (folder / environment.name / f"db-{role}").read_text().strip()
    url = server.url(environment.role(role), word, database=DATABASE).replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_user, current_schema").fetchone()
    assert row is not None
    return row


def test_it_makes_both_environments_and_again_changes_nothing(server: Postgres, run: Run, folder: Path) -> None:
    for _ in range(2):
        done = run("dev", "prod")
        assert (done.returncode, done.stderr) == (0, "")
        for environment in (DEV, PROD):
            for role in ROLES:
                assert signs_in(server, environment, role, folder) == (environment.role(role), environment.schema)
    for environment in CLUSTER_ENVIRONMENTS:
        for role in ROLES:
            assert (folder / environment.name / f"db-{role}").read_text().strip() not in done.stdout


def test_a_rotated_password_is_taken_over(server: Postgres, run: Run, folder: Path) -> None:
    assert run("dev").returncode == 0
    (folder / "dev" / "db-app").write_text(secrets.token_hex(16))
    assert run("dev").returncode == 0
    assert signs_in(server, DEV, "app", folder)[0] == DEV.role("app")


def test_the_administrator_s_password_may_be_a_file_too(server: Postgres, run: Run, folder: Path) -> None:
    head, _, rest = server.admin_url.partition("://")
    login, _, address = rest.rpartition("@")
    user, _, word = login.partition(":")
    (folder / "master").write_text(word)
    assert run("dev", url=f"{head}://{user}@{address}?passwordfile={folder}/master").returncode == 0


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_text("\n"), "is empty"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "no text"),
    ],
)
def test_a_password_that_is_not_there_stops_it_before_anything_is_done(
    run: Run, folder: Path, break_it: Callable[[Path], object], says: str
) -> None:
    break_it(folder / "prod" / "db-worker")
    done = run("dev", "prod")
    assert done.returncode == bootstrap.EX_CONFIG
    assert done.stderr.count("\n") == 1
    assert str(folder / "prod" / "db-worker") in done.stderr
    assert says in done.stderr
    assert done.stdout == ""


def test_a_missing_setting_a_refused_login_and_a_server_that_is_away_are_one_line(
    server: Postgres, run: Run, folder: Path
) -> None:
    missing = run("dev", url="")
    assert missing.returncode == bootstrap.EX_CONFIG
    assert "PINGVAS_DATABASE_ADMIN_URL is not set" in missing.stderr
    refused = run("dev", url=server.url("nobody-s-role", "word", database="postgres"))
    away = run("dev", url="postgresql+psycopg://master:word@127.0.0.1:9/postgres")
    unread = run("dev", url=f"postgresql+psycopg://master@127.0.0.1:9/postgres?passwordfile={folder}/none")
    assert (refused.returncode, away.returncode, unread.returncode) == (1, 1, bootstrap.EX_CONFIG)
    for done in (missing, refused, away, unread):
        assert done.stderr.startswith("bootstrap: ")
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr


def test_an_environment_that_does_not_exist_is_refused(run: Run) -> None:
    done = run("staging")
    assert done.returncode == 2
    assert "staging" in done.stderr
