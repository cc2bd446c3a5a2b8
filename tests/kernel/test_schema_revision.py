"""/readyz waits for the schema that the code needs, and migrations take turns."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

import migrations
from blueprint.environments import LOCAL
from blueprint.rollout import JOB
from migrations import upgrade
from services.kernel.bootstrap import bootstrap
from services.kernel.db import Database, SchemaOutdatedError, sync_engine
from services.kernel.http.app import create_service
from services.kernel.http.state import Kernel
from services.kernel.settings import Settings
from services.kernel.tables import REVISION
from studio.home import PROJECT
from studio.postgres import Postgres
from tests.support.http import client_of


@pytest.fixture(scope="module")
def own(new_settings: Callable[[str], Settings]) -> Settings:
    """A migrated database of its own."""
    return new_settings("schema_revision")


@pytest.fixture
def at(own: Settings) -> Iterator[Callable[[str | None], None]]:
    """Says that the schema is at a revision; None: at none."""

    def tell(revision: str | None) -> None:
        engine = sync_engine(own, role="owner")
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM alembic_version"))
            if revision is not None:
                connection.execute(sa.text("INSERT INTO alembic_version VALUES (:it)"), {"it": revision})
        engine.dispose()

    yield tell
    tell(REVISION)


async def ready(settings: Settings) -> tuple[int, str]:
    kernel = Kernel(settings)
    async with client_of(create_service(kernel, "user", [])) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["checks"]["database"]


def test_the_code_names_the_newest_migration() -> None:
    """A service's image has no migrations folder, so the revision stands in the code as well."""
    versions = Path(migrations.__file__).parent / "versions"
    found = sorted(
        re.findall(r'^revision: str = "(\d{4})"$', "".join(p.read_text() for p in versions.glob("*.py")), re.M)
    )
    assert found, "revisions are four digits, so that the readiness check can tell older from newer"
    assert found == [f"{number:04}" for number in range(1, len(found) + 1)]
    assert found[-1] == REVISION


async def test_a_schema_that_is_migrated_is_ready(own: Settings) -> None:
    assert await ready(own) == (200, "ok")


async def test_an_older_schema_is_not_ready(own: Settings, at: Callable[[str | None], None]) -> None:
    at(f"{int(REVISION) - 1:04}")
    assert await ready(own) == (503, "SchemaOutdatedError")
    db = Database(own)
    with pytest.raises(SchemaOutdatedError, match=f"needs {REVISION}"):
        await db.check()
    await db.close()


async def test_a_newer_schema_is_since_a_migration_comes_before_the_code(
    own: Settings, at: Callable[[str | None], None]
) -> None:
    at(f"{int(REVISION) + 1:04}")
    assert await ready(own) == (200, "ok")


async def test_a_schema_that_nobody_migrated_is_missing(own: Settings, at: Callable[[str | None], None]) -> None:
    at(None)
    assert await ready(own) == (503, "SchemaMissingError")


async def test_liveness_does_not_ask_for_the_schema(own: Settings, at: Callable[[str | None], None]) -> None:
    at("0000")
    async with client_of(create_service(Kernel(own), "user", [])) as client:
        assert (await client.get("/healthz")).status_code == 200


def fresh(postgres: Postgres, settings: Settings, passwords: dict[str, str], database: str) -> Settings:
    bootstrap(postgres.admin_url, LOCAL.name, passwords, database=database)
    url = postgres.url(LOCAL.role("owner"), passwords["owner"], database=database)
    return Settings.model_validate({**settings.model_dump(), "database_owner_url": url})


def test_migrations_that_start_at_once_take_turns(
    postgres: Postgres, settings: Settings, passwords: dict[str, str]
) -> None:
    there = fresh(postgres, settings, passwords, "migrated_at_once")
    variables = {
        "PATH": os.environ["PATH"],
        "PINGVAS_DATABASE_OWNER_URL": there.require("database_owner_url").get_secret_value(),
    }
    jobs = [
        subprocess.Popen([sys.executable, "-m", "migrations"], cwd=PROJECT, env=variables, stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]
    assert [job.wait(timeout=60) for job in jobs] == [0, 0, 0]
    engine = sync_engine(there, role="owner")
    with engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all() == [REVISION]
    engine.dispose()


def test_a_migration_gives_up_on_a_table_that_somebody_holds(
    postgres: Postgres, settings: Settings, passwords: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for the table after it would wait behind it."""
    there = fresh(postgres, settings, passwords, "migrated_while_held")
    upgrade(there)
    monkeypatch.setattr("blueprint.rollout.JOB", type(JOB)(lock_wait=1))
    url = there.require("database_owner_url").get_secret_value().replace("+psycopg", "")
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OperationalError, match="lock timeout"):
            upgrade(there)


def command(own: Settings | None, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    url = {"PINGVAS_DATABASE_OWNER_URL": own.require("database_owner_url").get_secret_value()} if own else {}
    return subprocess.run(
        [sys.executable, "-m", "migrations", *arguments],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], **url, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_code_that_is_rolled_back_leaves_a_newer_schema_as_it_is(
    own: Settings, at: Callable[[str | None], None]
) -> None:
    """Its Job would fail otherwise, and with it every sync until the code is newer again."""
    newer = f"{int(REVISION) + 1:04}"
    at(newer)
    done = command(own)
    assert (done.returncode, done.stderr) == (0, "")
    assert "newer than this code" in done.stdout
    engine = sync_engine(own, role="owner")
    with engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all() == [newer]
    engine.dispose()


def test_what_keeps_a_migration_from_running_is_one_line(own: Settings) -> None:
    missing, unknown = command(None), command(own, "no-such-revision")
    away = command(None, PINGVAS_DATABASE_OWNER_URL="postgresql+psycopg://owner:word@127.0.0.1:9/studio")
    unread = command(
        None, PINGVAS_DATABASE_OWNER_URL="postgresql+psycopg://owner@127.0.0.1:9/studio?passwordfile=/nowhere"
    )
    assert [one.returncode for one in (missing, unknown, away, unread)] == [78, 78, 1, 1]
    assert "PINGVAS_DATABASE_OWNER_URL is not set" in missing.stderr
    for one in (missing, unknown, away, unread):
        assert one.stderr.startswith("migrations: ") and one.stderr.count("\n") == 1, one.stderr
