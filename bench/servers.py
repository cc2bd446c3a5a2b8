"""Real servers for a benchmark: PostgreSQL with fsync on and Valkey, in a folder that goes away afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from migrations import upgrade
from services.kernel.bootstrap import bootstrap
from services.kernel.settings import Settings
from studio.environment import Parts, settings_of
from studio.home import Home


@contextmanager
def studio_settings(**more: str) -> Iterator[Settings]:
    """Settings of the environment `local` beside servers of their own, migrated; `more` are PINGVAS_* variables."""
    folder = Path(tempfile.mkdtemp(prefix="pingvas-bench-"))
    folder.chmod(0o711)
    parts = Parts.of(Home(folder).prepare(), {})
    assert parts.postgres is not None
    assert parts.valkey is not None
    try:
        parts.postgres.start()
        parts.valkey.start()
        bootstrap(parts.postgres.admin_url, "local", parts.passwords)
        settings = settings_of(parts.environment({"PINGVAS_LOG_LEVEL": "WARNING", **more}))
        upgrade(settings)
        yield settings
    finally:
        parts.valkey.stop()
        parts.postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def environment_of(settings: Settings) -> dict[str, str]:
    """The PINGVAS_* variables that give a child process these settings."""
    found = {}
    for name, value in settings:
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if plain is not None and plain != "":
            found[f"PINGVAS_{name.upper()}"] = str(plain)
    return found
