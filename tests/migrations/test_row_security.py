"""Row-Level Security by raw SQL: a tenant reaches its own rows and nothing else, whatever statement it sends."""

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from migrations.security import APPEND_ONLY, OWNED, READABLE_WITHOUT_OWNER
from services.kernel.ids import new_id
from services.kernel.tables import metadata
from services.kernel.tokens import secret_hash
from tests.migrations.conftest import Connect, Household, row

TABLES = sorted(OWNED)
CHANGEABLE = sorted(set(OWNED) - set(APPEND_ONLY))
Two = tuple[Household, Household]
InsufficientPrivilege = psycopg.errors.InsufficientPrivilege


def owner_of(table: str) -> sa.Column[object]:
    return metadata.tables[table].c[OWNED[table]]


def refused(connection: sa.Connection, statement: sa.Executable | str, **parameters: object) -> None:
    """The statement is refused for want of a right, and nothing else."""
    with pytest.raises(DBAPIError) as caught:
        connection.execute(sa.text(statement) if isinstance(statement, str) else statement, parameters)
    assert isinstance(caught.value.orig, InsufficientPrivilege)


@pytest.mark.parametrize("table", TABLES)
def test_a_tenant_reads_its_own_rows_alone(connect: Connect, households: Two, table: str) -> None:
    mine, theirs = households
    with connect("app", mine.user_id) as connection:
        seen = connection.execute(sa.select(metadata.tables[table].c.id, owner_of(table))).all()
    assert mine.rows[table] in [one for one, _ in seen]
    assert theirs.rows[table] not in [one for one, _ in seen]
    allowed = {mine.user_id} | ({None} if table in READABLE_WITHOUT_OWNER else set())
    assert {owner for _, owner in seen} <= allowed


@pytest.mark.parametrize("table", TABLES)
def test_without_a_tenant_there_is_nothing(connect: Connect, households: Two, table: str) -> None:
    with connect("app") as connection:
        seen = connection.execute(sa.select(owner_of(table))).scalars().all()
        assert [owner for owner in seen if owner is not None] == []
        # What a transaction leaves of its setting is the empty string, which is nobody too.
        connection.execute(sa.text("SELECT set_config('app.user_id', '', true)"))
        seen = connection.execute(sa.select(owner_of(table))).scalars().all()
        assert [owner for owner in seen if owner is not None] == []


@pytest.mark.parametrize("table", CHANGEABLE)
def test_a_tenant_changes_and_deletes_nothing_of_others(connect: Connect, households: Two, table: str) -> None:
    mine, theirs = households
    target = metadata.tables[table]
    with connect("app", mine.user_id) as connection:
        changed = connection.execute(
            target.update().where(target.c.id == theirs.rows[table]).values(created_at=sa.func.now())
        )
        assert changed.rowcount == 0
        deleted = connection.execute(target.delete().where(target.c.id == theirs.rows[table]))
        assert deleted.rowcount == 0
    with connect("worker") as connection:
        assert connection.execute(sa.select(target.c.id).where(target.c.id == theirs.rows[table])).one()


@pytest.mark.parametrize("table", TABLES)
def test_an_insert_for_another_tenant_is_refused(connect: Connect, households: Two, table: str) -> None:
    mine, theirs = households
    values = row(metadata.tables[table], new_id() if table == "users" else theirs.user_id, theirs.rows)
    with connect("app", mine.user_id) as connection:
        refused(connection, metadata.tables[table].insert().values(values))


@pytest.mark.parametrize("table", TABLES)
def test_an_insert_without_a_tenant_is_refused(connect: Connect, households: Two, table: str) -> None:
    values = row(metadata.tables[table], households[0].user_id, households[0].rows)
    with connect("app") as connection:
        refused(connection, metadata.tables[table].insert().values(values))


@pytest.mark.parametrize("table", sorted(set(CHANGEABLE) - {"users"}))
def test_a_row_cannot_be_given_away(connect: Connect, households: Two, table: str) -> None:
    mine, theirs = households
    target = metadata.tables[table]
    with connect("app", mine.user_id) as connection:
        refused(connection, target.update().where(target.c.id == mine.rows[table]).values(user_id=theirs.user_id))


@pytest.mark.parametrize("table", READABLE_WITHOUT_OWNER)
def test_what_is_everybodys_cannot_be_written_by_anybody(connect: Connect, households: Two, table: str) -> None:
    mine, _ = households
    target = metadata.tables[table]
    with connect("app", mine.user_id) as connection:
        refused(connection, target.insert().values({**row(target, mine.user_id, mine.rows), "user_id": None}))
    with connect("worker") as connection:
        shared = {**row(target, mine.user_id, mine.rows), "user_id": None}
        made = connection.execute(target.insert().values(shared).returning(target.c.id)).scalar_one()
        connection.commit()
    with connect("app", mine.user_id) as connection:
        assert connection.execute(sa.select(target.c.id).where(target.c.id == made)).one()
        assert connection.execute(target.update().where(target.c.user_id.is_(None)).values(title="x")).rowcount == 0
        assert connection.execute(target.delete().where(target.c.user_id.is_(None))).rowcount == 0
    with connect("worker") as connection:
        connection.execute(target.delete().where(target.c.id == made))
        connection.commit()


@pytest.mark.parametrize("role", ["app", "worker"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credit_entries SET amount = 1000000",
        "DELETE FROM credit_entries",
        "TRUNCATE credit_entries",
        "ALTER TABLE credit_entries NO FORCE ROW LEVEL SECURITY",
        "DROP TABLE credit_entries",
        "DROP POLICY tenant_read ON users",
        "CREATE TABLE extra (id int)",
        "UPDATE alembic_version SET version_num = 'x'",
        "SET ROLE pingvas_local_owner",
        "SET SESSION AUTHORIZATION pingvas_local_owner",
    ],
)
def test_what_services_and_workers_may_never_do(connect: Connect, households: Two, role: str, statement: str) -> None:
    with connect(role, households[0].user_id) as connection:
        refused(connection, statement)


def test_row_security_cannot_be_switched_off(connect: Connect, households: Two) -> None:
    with connect("app", households[0].user_id) as connection:
        connection.execute(sa.text("SET LOCAL row_security = off"))
        refused(connection, "SELECT * FROM users")


@pytest.mark.parametrize("table", TABLES)
def test_the_worker_and_the_backup_see_all(connect: Connect, households: Two, table: str) -> None:
    wanted = {household.rows[table] for household in households}
    for role in ("worker", "backup", "owner"):
        with connect(role) as connection:
            assert wanted <= set(connection.execute(sa.select(metadata.tables[table].c.id)).scalars())


@pytest.mark.parametrize("table", TABLES)
def test_the_backup_writes_nothing(connect: Connect, households: Two, table: str) -> None:
    target = metadata.tables[table]
    values = row(target, new_id() if table == "users" else households[0].user_id, households[0].rows)
    for statement in (
        target.insert().values(values),
        target.update().values(created_at=sa.func.now()),
        target.delete(),
        sa.text(f"TRUNCATE {table} CASCADE"),
    ):
        with connect("backup") as connection:
            refused(connection, statement)


def test_the_doors_open_only_with_what_the_holder_knows(connect: Connect, households: Two) -> None:
    mine, _ = households
    with connect("worker") as connection:
        identity = connection.execute(
            sa.text("SELECT provider, subject FROM oauth_identities WHERE user_id = :id"), {"id": mine.user_id}
        ).one()
        stored = connection.execute(sa.text("SELECT key_hash FROM api_keys WHERE user_id = :id"), {"id": mine.user_id})
        key_hash = stored.scalar_one()
    with connect("app") as connection:
        who = sa.text("SELECT identity_user(:provider, :subject)")
        assert connection.execute(who, identity._asdict()).scalar_one() == mine.user_id
        assert connection.execute(who, {"provider": "google", "subject": identity.subject}).scalar_one() is None
        holder = sa.text("SELECT user_id FROM api_key_holder(:hash)")
        assert connection.execute(holder, {"hash": key_hash}).scalar_one() == mine.user_id
        assert connection.execute(holder, {"hash": secret_hash("x")}).scalar_one_or_none() is None
    with connect("backup") as connection:
        refused(connection, "SELECT identity_user('local', 'x')")
    with connect("backup") as connection:
        refused(connection, "SELECT * FROM api_key_holder('')")


def test_a_temporary_table_does_not_deceive_the_doors(connect: Connect) -> None:
    """A function that runs as the owner looks for its tables by search_path; a table of the caller's comes last."""
    with connect("app") as connection:
        connection.execute(sa.text("SAVEPOINT before"))
        try:
            connection.execute(
                sa.text("CREATE TEMPORARY TABLE oauth_identities (user_id uuid, provider text, subject text)")
            )
            connection.execute(sa.text("INSERT INTO oauth_identities VALUES (gen_random_uuid(), 'local', 'fake')"))
        except DBAPIError as error:
            assert isinstance(error.orig, InsufficientPrivilege)
            connection.execute(sa.text("ROLLBACK TO SAVEPOINT before"))
        assert connection.execute(sa.text("SELECT identity_user('local', 'fake')")).scalar_one() is None
