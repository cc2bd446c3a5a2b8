"""Real servers for every test: PostgreSQL and Valkey from the studio's own wheels, one pair a test process."""

import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blueprint.environments import DATABASE, LOCAL, ROLES
from migrations import upgrade
from services.kernel.bootstrap import bootstrap
from services.kernel.settings import Settings
from studio.home import PROJECT
from studio.postgres import Postgres
from studio.processes import free_port
from studio.valkey import Valkey

for _name in [name for name in os.environ if name.startswith("PINGVAS_")]:
    del os.environ[_name]  # the caller's own studio is not to be tested, nor touched


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--snapshot-update", action="store_true", help="Write the snapshots of templates anew.")


os.environ["CDK_VALIDATION"] = "false"  # read when CDK's engine starts; where the checks are the test, it is asked for

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}


MEMORY = Path("/dev/shm")  # noqa: S108 (the kernel's own, not a temporary file of a guessable name)
NEEDED_BYTES = 4 * 1024**3
PREFIX = "pingvas-test-"


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A short folder that `nobody` can walk to, as which PostgreSQL runs when the tests run as root.

    In memory where there is plenty: dozens of clusters come and go, and a busy disk makes that minutes.
    """
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED_BYTES
    base = MEMORY if roomy else Path(tempfile.gettempdir())
    for left in base.glob(f"{PREFIX}*"):
        if not Path(f"/proc/{left.name.removeprefix(PREFIX).split('-')[0]}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    """Of the four roles, by purpose."""
    return {purpose: secrets.token_hex(16) for purpose in ROLES}


@pytest.fixture(scope="session")
def postgres(place: Path, passwords: dict[str, str]) -> Iterator[Postgres]:
    """A cluster with the platform's database, roles and schema, and no tables yet."""
    server = Postgres(
        place / "postgres", port=free_port(), password=secrets.token_hex(16), log=place / "postgres.log", settings=FAST
    )
    server.start()
    bootstrap(server.admin_url, LOCAL.name, passwords)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey(place: Path) -> Iterator[Valkey]:
    (place / "valkey").mkdir()
    server = Valkey(
        place / "valkey",
        port=free_port(),
        password=secrets.token_hex(16),
        log=place / "valkey.log",
        settings={"appendonly": "no"},
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def settings(new_settings: Callable[[str], Settings]) -> Settings:
    """The settings of a process of the environment `local` beside those servers, with all tables migrated."""
    return new_settings(DATABASE)


@pytest.fixture(scope="session")
def new_settings(
    place: Path, postgres: Postgres, valkey: Valkey, passwords: dict[str, str]
) -> Callable[[str], Settings]:
    """Makes settings with a database, a Valkey database and a folder of images of their own.

    For a package whose tests take whatever is queued: a job that another package left would be taken too.
    """
    numbers = itertools.count()

    def make(database: str) -> Settings:
        def url(purpose: str) -> str:
            return postgres.url(LOCAL.role(purpose), passwords[purpose], database=database)

        if database != DATABASE:
            bootstrap(postgres.admin_url, LOCAL.name, passwords, database=database)
        images = place / f"images-{database}"
        images.mkdir()
        made = Settings.model_validate(
            {
                "env": LOCAL.name,
                "database_url": url("app"),
                "database_worker_url": url("worker"),
                "database_owner_url": url("owner"),
                "redis_url": f"{valkey.url.rpartition('/')[0]}/{next(numbers)}",
                "storage_url": images.as_uri(),
                "models_dir": PROJECT / "models",
                "jwt_secret": secrets.token_hex(32),
            }
        )
        upgrade(made)
        return made

    return make
