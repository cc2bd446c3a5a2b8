"""The schema: ten tables and Alembic's, owned by the owner, security forced, and as the metadata say."""

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.util import CommandError

from blueprint.environments import LOCAL
from migrations import config, upgrade
from migrations.security import OWNED
from services.kernel.bootstrap import bootstrap
from services.kernel.settings import Settings
from services.kernel.tables import metadata
from studio.postgres import Postgres
from tests.migrations.conftest import Connect

TEN = {
    "users",
    "oauth_identities",
    "api_keys",
    "subscriptions",
    "webhook_events",
    "credit_entries",
    "generations",
    "images",
    "boards",
    "models",
}


def test_there_are_ten_tables_and_alembics_own(connect: Connect) -> None:
    with connect("owner") as connection:
        names = set(sa.inspect(connection).get_table_names(schema=LOCAL.schema))
    assert set(metadata.tables) == TEN == set(OWNED)
    assert names == TEN | {"alembic_version"}


def test_nothing_of_ours_is_in_the_public_schema(connect: Connect) -> None:
    with connect("owner") as connection:
        assert sa.inspect(connection).get_table_names(schema="public") == []


@pytest.mark.parametrize("table", sorted(TEN))
def test_row_level_security_is_forced(connect: Connect, table: str) -> None:
    with connect("owner") as connection:
        state = connection.execute(
            sa.text(
                "SELECT relrowsecurity AND relforcerowsecurity AS forced, pg_get_userbyid(relowner) AS owner"
                " FROM pg_class WHERE oid = CAST(:name AS regclass)"
            ),
            {"name": f"{LOCAL.schema}.{table}"},
        ).one()
        policies = connection.execute(
            sa.text(
                "SELECT unnest(roles)::text, cmd FROM pg_policies WHERE schemaname = :schema AND tablename = :table"
            ),
            {"schema": LOCAL.schema, "table": table},
        ).all()
    assert state.forced
    assert state.owner == LOCAL.role("owner")
    assert sorted(cmd for role, cmd in policies if role == LOCAL.role("app")) == [
        "DELETE",
        "INSERT",
        "SELECT",
        "UPDATE",
    ]
    assert not [role for role, _ in policies if role == "public"]


@pytest.mark.parametrize("purpose", ["app", "worker", "backup", "owner"])
def test_no_role_stands_above_the_rules(connect: Connect, purpose: str) -> None:
    with connect(purpose) as connection:
        role = connection.execute(
            sa.text(
                "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
                " WHERE rolname = current_user"
            )
        ).one()
        mine = connection.execute(
            sa.text("SELECT count(*) FROM pg_class WHERE relowner = CAST(current_user AS regrole)")
        ).scalar_one()
        member = connection.execute(
            sa.text("SELECT count(*) FROM pg_auth_members WHERE member = CAST(current_user AS regrole)")
        ).scalar_one()
    assert role == (LOCAL.role(purpose), False, False, False, False)
    assert (mine > 0) == (purpose == "owner")
    assert member == 0


def test_the_tables_are_what_the_metadata_say(settings: Settings, connect: Connect) -> None:
    with connect("owner") as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
        assert compare_metadata(context, metadata) == []
    command.check(config(settings))


def test_migrating_again_does_nothing(settings: Settings, connect: Connect) -> None:
    upgrade(settings)
    with connect("owner") as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_down_and_up_again(postgres: Postgres, passwords: dict[str, str], settings: Settings) -> None:
    database = "down_and_up"
    bootstrap(postgres.admin_url, LOCAL.name, passwords, database=database)
    bootstrap(postgres.admin_url, LOCAL.name, passwords, database=database)  # twice is as good as once
    url = postgres.url(LOCAL.role("owner"), passwords["owner"], database=database)
    there = Settings.model_validate({**settings.model_dump(), "database_owner_url": url})
    upgrade(there)
    command.downgrade(config(there), "base")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        left = connection.execute(
            sa.text("SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = :schema"),
            {"schema": LOCAL.schema},
        ).all()
        assert {name for (name,) in left} <= {"alembic_version", "alembic_version_pkc"}
        functions = connection.execute(
            sa.text("SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = :schema"),
            {"schema": LOCAL.schema},
        ).all()
        assert functions == []
    upgrade(there)
    command.check(config(there))


def test_an_unknown_revision_is_an_error(settings: Settings) -> None:
    with pytest.raises(CommandError):
        upgrade(settings, "no-such-revision")
