"""The embedded PostgreSQL: it keeps what was committed, however it or its studio ended."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from studio.errors import SetupError
from studio.home import PROJECT
from studio.postgres import SYSTEM_FOLDER, Postgres
from studio.processes import free_port
from tests.studio.conftest import FAST

Make = Callable[[], Postgres]


def ask(server: Postgres, statement: str) -> object:
    url = server.admin_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def test_it_starts_stops_and_remembers(cluster: Make) -> None:
    first = cluster()
    first.start()
    ask(first, "CREATE TABLE t AS SELECT 42 AS answer")
    assert ask(first, "SHOW server_encoding") == "UTF8"
    assert ask(first, "SHOW data_checksums") == "on"
    first.stop()
    assert not (first.folder / "postmaster.pid").exists()
    second = cluster()
    second.start()
    assert ask(second, "SELECT answer FROM t") == 42


def test_it_asks_for_the_password(cluster: Make) -> None:
    server = cluster()
    server.start()
    url = server.url("postgres", "wrong").replace("+psycopg", "")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)
    rules = (server.folder / "pg_hba.conf").read_text()
    assert "trust" not in [word for line in rules.splitlines() if line[:1] not in ("#", "") for word in line.split()]


def test_it_keeps_committed_rows_through_sigkill(cluster: Make) -> None:
    first = cluster()
    first.start()
    ask(first, "CREATE TABLE t AS SELECT 42 AS answer")
    ask(first, "CHECKPOINT")
    assert first.process is not None
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()
    second = cluster()
    second.start()
    assert ask(second, "SELECT answer FROM t") == 42


def test_it_replaces_a_server_whose_studio_is_gone(cluster: Make) -> None:
    orphan, new = cluster(), cluster()
    orphan.start()
    new.start()
    assert orphan.process is not None
    assert orphan.process.wait(10) == 0
    assert ask(new, "SELECT 1") == 1


def test_a_recycled_process_id_does_not_stop_it(cluster: Make) -> None:
    first = cluster()
    first.start()
    pid_file = (first.folder / "postmaster.pid").read_text()
    assert first.process is not None
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            lines = pid_file.splitlines()
            (first.folder / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
            second = cluster()
            second.start()
            assert ask(second, "SELECT 1") == 1
            assert other.poll() is None
        finally:
            other.kill()


def test_an_interrupted_first_start_starts_over(cluster: Make, root: Path) -> None:
    partial = root / "postgres.partial"
    partial.mkdir()
    (partial / "PG_VERSION").write_text("18\n")
    server = cluster()
    server.start()
    assert ask(server, "SELECT 1") == 1
    assert not partial.exists()


def test_lost_secrets_do_not_lock_the_data_away(root: Path) -> None:
    def make(password: str) -> Postgres:
        return Postgres(
            root / "postgres", port=free_port(), password=password, log=root / "postgres.log", settings=FAST
        )

    first = make("first")
    first.start()
    ask(first, "CREATE TABLE t AS SELECT 42 AS answer")
    first.stop()
    second = make("second")
    second.start()
    try:
        assert ask(second, "SELECT answer FROM t") == 42
    finally:
        second.stop()


def test_a_damaged_folder_is_one_message_with_the_end_of_the_log(cluster: Make) -> None:
    first = cluster()
    first.start()
    first.stop()
    (first.folder / "global" / "pg_control").unlink()
    with pytest.raises(SetupError, match="PostgreSQL did not start") as caught:
        cluster().start()
    assert "pg_control" in caught.value.message
    assert "reset" in caught.value.advice


ORDINARY = """
import encodings.ascii, encodings.idna, os, sys  # what Python would read later lies where only root can walk
from pathlib import Path
import psycopg, redis
from studio.postgres import Postgres
from studio.processes import Account, free_port
from studio.valkey import Valkey
os.setgroups([]); os.setgid(65534); os.setuid(65534)
assert Account.unprivileged() is None
root = Path(sys.argv[1])
server = Postgres(root / "postgres", port=free_port(), password="word", log=root / "postgres.log")
server.start()
with psycopg.connect(server.admin_url.replace("+psycopg", "")) as connection:
    print(connection.execute("SELECT 42").fetchone())
server.stop()
(root / "valkey").mkdir()
cache = Valkey(root / "valkey", port=free_port(), password="word", log=root / "valkey.log")
cache.start()
cache.stop()
print("done")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="this is an ordinary user already")
def test_an_ordinary_user_runs_both_servers(root: Path) -> None:
    os.chown(root, 65534, 65534)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", ORDINARY, str(root)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "(42,)\ndone\n", done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")
class TestAsRoot:
    def test_it_runs_as_nobody_in_a_folder_of_its_own(self, cluster: Make) -> None:
        server = cluster()
        server.start()
        assert server.process is not None
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        assert next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1] != "0"
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700

    def test_a_closed_parent_folder_is_not_opened(self, root: Path) -> None:
        closed = root / "closed"
        closed.mkdir(mode=0o700)
        server = Postgres(
            closed / "postgres", port=free_port(), password="word", log=root / "postgres.log", settings=FAST
        )
        try:
            server.start()
            assert server.folder.parent == SYSTEM_FOLDER
            assert (closed / "postgres").resolve() == server.folder
            assert ask(server, "SELECT 1") == 1
            assert stat.S_IMODE(closed.stat().st_mode) == 0o700
            ask(server, "CREATE TABLE t AS SELECT 42 AS answer")
            server.stop()
            server.start()
            assert ask(server, "SELECT answer FROM t") == 42
            server.stop()
            (closed / "postgres").unlink()
            server.start()
            assert ask(server, "SELECT to_regclass('t')") is None
        finally:
            server.stop()
            for folder in (server.folder, server.folder.with_suffix(".lost")):
                shutil.rmtree(folder)
