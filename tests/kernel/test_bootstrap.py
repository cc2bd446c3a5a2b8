"""Roles and schema of an environment, made by a superuser here and by a mere administrator on Aurora."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from blueprint.environments import DEV, PROD, ROLES
from services.kernel.bootstrap import BootstrapError, bootstrap
from studio.postgres import Postgres

PASSWORDS = {purpose: f"word-{purpose}" for purpose in ROLES}


def connect(postgres: Postgres, role: str, password: str, database: str = "postgres") -> "psycopg.Connection[Any]":
    url = postgres.url(role, password, database=database).replace("+psycopg", "")
    return psycopg.connect(url, autocommit=True)


@pytest.fixture(scope="module")
def master(postgres: Postgres) -> Iterator[str]:
    """The URL of an administrator with Aurora's rights: databases and roles, no superuser."""
    with psycopg.connect(postgres.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute("CREATE ROLE master LOGIN CREATEDB CREATEROLE NOSUPERUSER PASSWORD 'word'")
    yield postgres.url("master", "word")


@pytest.fixture(scope="module")
def database(postgres: Postgres, master: str) -> str:
    """A database that the administrator made for both environments of the cluster, twice each."""
    name = f"shared_{secrets.token_hex(4)}"
    for environment in ("dev", "prod", "dev", "prod"):
        bootstrap(master, environment, PASSWORDS, database=name)
    with connect(postgres, DEV.role("owner"), PASSWORDS["owner"], name) as owner:
        owner.execute("CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY, note text)")
        owner.execute("CREATE SEQUENCE tickets")
    return name


def test_the_search_path_is_the_role_s_own(postgres: Postgres, database: str) -> None:
    for purpose in ROLES:
        with connect(postgres, DEV.role(purpose), PASSWORDS[purpose], database) as role:
            assert role.execute("SHOW search_path").fetchone() == (DEV.schema,)


@pytest.mark.parametrize("purpose", ["app", "worker"])
def test_app_and_worker_change_rows_and_nothing_else(postgres: Postgres, database: str, purpose: str) -> None:
    with connect(postgres, DEV.role(purpose), PASSWORDS[purpose], database) as role:
        role.execute("INSERT INTO things (note) VALUES ('a')")
        role.execute("UPDATE things SET note = 'b'")
        assert role.execute("SELECT note FROM things").fetchone() == ("b",)
        role.execute("DELETE FROM things")
        role.execute("SELECT nextval('tickets')")
        for statement in (
            "CREATE TABLE mine (id int)",
            "TRUNCATE things",
            "DROP TABLE things",
            "ALTER TABLE things DISABLE ROW LEVEL SECURITY",
            "CREATE TABLE public.mine (id int)",
            "CREATE SCHEMA mine",
            "CREATE TEMPORARY TABLE mine (id int)",
            sql.SQL("SET ROLE {}").format(sql.Identifier(DEV.role("owner"))),
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                role.execute(statement)


def test_backup_reads_only(postgres: Postgres, database: str) -> None:
    with connect(postgres, DEV.role("backup"), PASSWORDS["backup"], database) as role:
        role.execute("SELECT * FROM things")
        with pytest.raises(errors.InsufficientPrivilege):
            role.execute("DELETE FROM things")


def test_one_environment_sees_nothing_of_the_other(postgres: Postgres, database: str) -> None:
    for purpose in ROLES:
        with (
            connect(postgres, PROD.role(purpose), PASSWORDS[purpose], database) as role,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            role.execute(f"SELECT * FROM {DEV.schema}.things")


def test_no_role_is_more_than_a_role(postgres: Postgres, database: str) -> None:
    with psycopg.connect(postgres.admin_url.replace("+psycopg", "")) as admin:
        rows = admin.execute(
            "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles"
            " WHERE rolname = ANY(%s)",
            ([environment.role(purpose) for environment in (DEV, PROD) for purpose in ROLES],),
        ).fetchall()
    assert rows == [(True, False, False, False, False)] * 8


def test_a_new_password_replaces_the_old_one(postgres: Postgres, master: str, database: str) -> None:
    bootstrap(master, "prod", {**PASSWORDS, "app": "rotated"}, database=database)
    with connect(postgres, PROD.role("app"), "rotated", database):
        pass
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(postgres, PROD.role("app"), PASSWORDS["app"], database)


def test_several_at_once_do_no_harm(master: str, database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        done = [
            threads.submit(bootstrap, master, environment, PASSWORDS, database=database)
            for environment in ("dev", "prod", "dev", "prod")
        ]
    assert [one.result() for one in done] == [None] * 4


def test_passwords_never_reach_a_statement(postgres: Postgres, database: str) -> None:
    with psycopg.connect(postgres.admin_url.replace("+psycopg", "")) as admin:
        rows = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'pingvas_dev_%'").fetchall()
    assert all(verifier.startswith("SCRAM-SHA-256$") for (verifier,) in rows)


def test_a_missing_password_is_named(master: str) -> None:
    with pytest.raises(BootstrapError, match="worker, backup"):
        bootstrap(master, "dev", {"owner": "a", "app": "b", "worker": ""})


def test_a_role_with_too_many_rights_stops_it(postgres: Postgres, master: str, database: str) -> None:
    role = sql.Identifier(DEV.role("backup"))
    with psycopg.connect(postgres.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(role))
        try:
            with pytest.raises(BootstrapError, match="bypasses row-level security"):
                bootstrap(master, "dev", PASSWORDS, database=database)
        finally:
            admin.execute(sql.SQL("ALTER ROLE {} NOBYPASSRLS").format(role))
