"""Database, schema and roles of one environment, made or brought up to date: `bootstrap(admin_url, "dev", passwords)`.

Safe to run again and from several places at once. The administrator need not be a superuser: Aurora's master may
create databases and roles but owns no superuser, cannot give BYPASSRLS away, and reaches into a role's schema only as
a member of that role.

The roles are `pingvas_<env>_owner` (owns the schema, runs the migrations), `_app` and `_worker` (read and write rows)
and `_backup` (reads). Row-Level Security, which the migrations write, decides what rows each of them sees.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from blueprint.environments import DATABASE, ENVIRONMENTS, ROLES, Environment, EnvironmentName
from services.kernel.addresses import libpq

_LOCK = 7_461_820_335
"""Advisory lock of all bootstraps on one server: roles are shared by its databases."""
_READERS = ("app", "worker", "backup")
_WRITERS = ("app", "worker")


class BootstrapError(RuntimeError):
    """The server does not allow what the platform needs; the message says what."""


@dataclass(frozen=True, slots=True)
class _Names:
    environment: Environment

    def role(self, purpose: str) -> sql.Identifier:
        return sql.Identifier(self.environment.role(purpose))

    def roles(self, purposes: tuple[str, ...]) -> sql.Composed:
        return sql.SQL(", ").join(self.role(purpose) for purpose in purposes)

    @property
    def schema(self) -> sql.Identifier:
        return sql.Identifier(self.environment.schema)


def bootstrap(
    admin_url: str, environment: EnvironmentName, passwords: Mapping[str, str], *, database: str = DATABASE
) -> None:
    """Makes what is missing and sets what differs.

    Args:
        admin_url: any database of the server, as a role with CREATEDB and CREATEROLE.
        environment: whose schema and roles.
        passwords: one for each of `blueprint.environments.ROLES`; they become the roles' passwords.
        database: the database that holds the schema.

    Raises:
        BootstrapError: a password is missing, or a role already exists with rights it must not have.
        psycopg.Error: the server cannot be reached or refuses.
    """
    missing = [purpose for purpose in ROLES if not passwords.get(purpose)]
    if missing:
        raise BootstrapError(f"no password for the role {', '.join(missing)}")
    names = _Names(ENVIRONMENTS[environment])
    url = libpq(admin_url)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
            server.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(database))
            )
        for purpose in ROLES:
            _role(server, names.environment.role(purpose), passwords[purpose])
        with psycopg.connect(make_conninfo(url, dbname=database)) as connection:
            _schema(connection, names, database)


def _role(server: psycopg.Connection, name: str, password: str) -> None:
    role = sql.Identifier(name)
    # The verifier instead of the password: statements end up in server logs.
    verifier = server.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    found = server.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    if found is None:
        server.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                role, sql.Literal(verifier)
            )
        )
    elif any(found):
        # Only a superuser may take these away again, so a person has to look.
        raise BootstrapError(f"the role {name} is a superuser or bypasses row-level security; it must be neither")
    else:
        server.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(verifier)))


def _schema(connection: psycopg.Connection, names: _Names, database: str) -> None:
    owner, schema = names.role("owner"), names.schema
    readers, writers = names.roles(_READERS), names.roles(_WRITERS)
    run = connection.execute
    superuser = run("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (True,)
    if not superuser:
        # Since PostgreSQL 16 whoever makes a role administers it but is not a member of it.
        run(sql.SQL("GRANT {} TO CURRENT_USER WITH SET TRUE, INHERIT TRUE").format(owner))
    run(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
    run(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), names.roles(ROLES)))
    run("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    run(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(schema, owner))
    run(sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(schema))
    run(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, readers))
    later = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT ").format(owner, schema)
    run(later + sql.SQL("SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}").format(writers))
    run(later + sql.SQL("USAGE, SELECT ON SEQUENCES TO {}").format(writers))
    run(later + sql.SQL("SELECT ON TABLES TO {}").format(names.role("backup")))
    run(later + sql.SQL("SELECT ON SEQUENCES TO {}").format(names.role("backup")))
    for purpose in ROLES:
        run(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(
                names.role(purpose), sql.Identifier(database), schema
            )
        )
