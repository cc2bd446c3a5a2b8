"""Alembic migrations of the ten tables: `upgrade(settings)`, or `python -m migrations`."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from services.kernel.settings import Settings

FOLDER = Path(__file__).parent


def config(settings: Settings) -> Config:
    """Alembic's configuration, without an alembic.ini: the settings decide."""
    alembic = Config()
    alembic.set_main_option("script_location", str(FOLDER))
    alembic.attributes["settings"] = settings
    return alembic


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Brings the schema to `revision`; does nothing where it is there already, or newer than this code knows.

    A rollback of the code leaves the schema as it is.
    """
    alembic = config(settings)
    alembic.attributes["newer_stays"] = True
    command.upgrade(alembic, revision)
