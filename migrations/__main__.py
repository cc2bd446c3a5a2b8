"""`python -m migrations [REVISION]`: what the migration Job runs."""

import sys
from collections.abc import Sequence

from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from migrations import upgrade
from services.kernel import logs
from services.kernel.settings import SettingMissingError, Settings

EX_CONFIG = 78
"""sysexits.h: what it was told does not suffice, so trying again is in vain."""


def main(arguments: Sequence[str]) -> int:
    """Migrates; what goes wrong is one line on standard error.

    Returns:
        0; 1 where the server did not let it, which may pass; 78 where the settings or the revision cannot be.
    """
    try:
        settings = Settings()
        logs.configure(settings, "migrations")
        upgrade(settings, *arguments[:1])
    except (ValidationError, SettingMissingError, CommandError) as error:
        return _failed(error, EX_CONFIG)
    except (SQLAlchemyError, OSError) as error:
        return _failed(error, 1)
    logs.get_logger("migrations").info("migrated", schema=settings.schema_name)
    return 0


def _failed(error: Exception, code: int) -> int:
    sys.stderr.write(f"migrations: {' '.join(str(error).split())}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
