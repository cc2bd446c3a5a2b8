"""Database, schema and roles of one environment, made or brought up to date: `bootstrap(admin_url, "dev", passwords)`.

    python -m services.kernel.bootstrap --passwords FOLDER ENVIRONMENT...

signs in by PINGVAS_DATABASE_ADMIN_URL and takes the passwords from the files `FOLDER/<environment>/db-<role>`.

Safe to run again and from several places at once. The administrator need not be a superuser: Aurora's master may
create databases and roles but owns no superuser, cannot give BYPASSRLS away, and reaches into a role's schema only as
a member of that role.

The roles are `pingvas_<env>_owner` (owns the schema, runs the migrations), `_app` and `_worker` (read and write rows)
and `_backup` (reads). Row-Level Security, which the migrations write, decides what rows each of them sees.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import ValidationError

from blueprint.environments import DATABASE, ENVIRONMENTS, ROLES, Environment, EnvironmentName
from services.kernel import logs
from services.kernel.addresses import libpq
from services.kernel.settings import SettingMissingError, Settings

_LOCK = 7_461_820_335
"""Advisory lock of all bootstraps on one server: roles are shared by its databases."""
_READERS = ("app", "worker", "backup")
_WRITERS = ("app", "worker")
EX_CONFIG = 78
"""sysexits.h: what it was told does not suffice, so trying again is in vain."""


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


def passwords_in(folder: Path, environment: str) -> dict[str, str]:
    """The roles' passwords out of mounted files.

    Raises:
        BootstrapError: a file is missing, cannot be read or is empty; the message names it.
    """
    found = {}
    for purpose in ROLES:
        path = folder / environment / f"db-{purpose}"
        try:
            found[purpose] = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise BootstrapError(
                f"{path}: the password of {environment}'s {purpose} cannot be read: {reason}"
            ) from error
        if not found[purpose]:
            raise BootstrapError(f"{path}: the password of {environment}'s {purpose} is empty")
    return found


def main(arguments: Sequence[str]) -> int:
    """Bootstraps the environments that the arguments name; what goes wrong is one line on standard error.

    Returns:
        0; 1 where the server did not let it, which may pass; 78 where settings or files do not suffice.
    """
    parser = argparse.ArgumentParser(prog="python -m services.kernel.bootstrap", allow_abbrev=False)
    parser.add_argument("--passwords", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("environments", nargs="+", choices=sorted(ENVIRONMENTS), metavar="ENVIRONMENT")
    given = parser.parse_args(arguments)
    try:
        settings = Settings()
        url = settings.require("database_admin_url").get_secret_value()
        # All of them first: a file that is missing must not leave half of the work done.
        passwords = {name: passwords_in(given.passwords, name) for name in given.environments}
        libpq(url)
    except (ValidationError, SettingMissingError, BootstrapError, OSError) as error:
        return _failed(error, EX_CONFIG)
    logs.configure(settings, "bootstrap")
    for name, words in passwords.items():
        try:
            bootstrap(url, name, words)
        except (BootstrapError, psycopg.Error, OSError) as error:
            return _failed(error, 1)
        logs.get_logger("bootstrap").info("bootstrapped", environment=name, schema=ENVIRONMENTS[name].schema)
    return 0


def _failed(error: Exception, code: int) -> int:
    sys.stderr.write(f"bootstrap: {' '.join(str(error).split())}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
