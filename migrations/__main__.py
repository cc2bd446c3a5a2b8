"""`python -m migrations [REVISION]`: what the migration Job runs."""

import sys

from migrations import upgrade
from services.kernel import logs
from services.kernel.settings import Settings


def main() -> None:
    settings = Settings()
    logs.configure(settings, "migrations")
    upgrade(settings, *sys.argv[1:2])
    logs.get_logger("migrations").info("migrated", schema=settings.schema_name)


if __name__ == "__main__":
    main()
