"""Alembic, one schema an environment: `python -m migrations` runs it with the owner's URL from the settings."""

import sqlalchemy as sa
from alembic import context

from blueprint.rollout import JOB
from services.kernel.db import sync_engine
from services.kernel.logs import get_logger
from services.kernel.settings import Settings
from services.kernel.tables import metadata

LOCK = 0x70696E67
"""One migration at a time a database, however many jobs start."""


def _newer() -> bool:
    """Whether the schema is at a revision that comes after the last one of this code; revisions are numbers."""
    found, last = context.get_context().get_current_revision(), context.get_head_revision()
    if found is None or int(found) <= int(str(last)):
        return False
    get_logger("migrations").warning("the schema is newer than this code and stays", schema=found, code=last)
    return True


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
            if not (context.config.attributes.get("newer_stays") and _newer()):
                context.run_migrations()
    finally:
        engine.dispose()


run()
