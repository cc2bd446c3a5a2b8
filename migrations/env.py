"""Alembic, one schema an environment: `python -m migrations` runs it with the owner's URL from the settings."""

import sqlalchemy as sa
from alembic import context

from blueprint.rollout import JOB
from services.kernel.db import sync_engine
from services.kernel.settings import Settings
from services.kernel.tables import metadata

LOCK = 0x70696E67
"""One migration at a time a database, however many jobs start."""


def run() -> None:
    settings: Settings = context.config.attributes["settings"]
    engine = sync_engine(settings, role="owner", pool=1)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{JOB.lock_wait}s'"))
            context.configure(
                connection=connection,
                target_metadata=metadata,
                # Below the schema that search_path names; named here too, `alembic check` would take it for a leftover.
                version_table="alembic_version",
                transaction_per_migration=False,
                compare_server_default=True,
            )
            context.run_migrations()
    finally:
        engine.dispose()


run()
