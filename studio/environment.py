"""The PINGVAS_* variables that the services and the worker start with.

What the caller has set wins, so the same studio runs against an Aurora, an ElastiCache or an S3 bucket; what is set
that way is not started here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blueprint.environments import DATABASE, ENVIRONMENTS, ROLES
from studio.errors import SetupError, UsageError
from studio.home import PROJECT, Home
from studio.postgres import Postgres
from studio.processes import Ports
from studio.valkey import Valkey

if TYPE_CHECKING:
    from services.kernel.settings import Settings

PREFIX = "PINGVAS_"
DATABASE_VARIABLES = {
    "app": "PINGVAS_DATABASE_URL",
    "worker": "PINGVAS_DATABASE_WORKER_URL",
    "owner": "PINGVAS_DATABASE_OWNER_URL",
}
QUIET = "ignore:You're running the worker with superuser privileges"
"""Celery says so in eight lines at every start of a worker of root, who knows."""
REDIS_VARIABLE = "PINGVAS_REDIS_URL"


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the studio is embedded: None where the caller's variables name a server."""

    home: Home
    postgres: Postgres | None
    valkey: Valkey | None

    @classmethod
    def of(cls, home: Home, given: Mapping[str, str] = os.environ, *, running: bool = False) -> Parts:
        """Decides from the variables that are given. Raises UsageError when they name half a database.

        `running` says that the studio of this home is up, so its ports are taken by itself.
        """
        secrets, ports = home.secrets(), Ports(home.run / "ports.json")
        postgres = valkey = None
        named = [name for name in DATABASE_VARIABLES.values() if given.get(name)]
        if not named:
            postgres = Postgres(
                home.postgres,
                port=ports.pick("postgres", running=running),
                password=secrets["postgres"],
                log=home.logs / "postgres.log",
            )
        elif not {DATABASE_VARIABLES["app"], DATABASE_VARIABLES["worker"]} <= set(named):
            raise UsageError(
                f"{', '.join(named)} names a database of your own, but its other roles are missing.",
                advice="Set PINGVAS_DATABASE_URL and PINGVAS_DATABASE_WORKER_URL, and for migrations "
                "PINGVAS_DATABASE_OWNER_URL; or none of them, to use the embedded PostgreSQL.",
            )
        if not given.get(REDIS_VARIABLE):
            valkey = Valkey(
                home.valkey,
                port=ports.pick("valkey", running=running),
                password=secrets["valkey"],
                log=home.logs / "valkey.log",
            )
        return cls(home, postgres, valkey)

    @property
    def passwords(self) -> dict[str, str]:
        """The passwords of the four roles of the embedded database."""
        secrets = self.home.secrets()
        return {purpose: secrets[purpose] for purpose in ROLES}

    def environment(self, given: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Everything a child process starts with, the caller's own environment included."""
        local = ENVIRONMENTS["local"]
        chosen = {
            "PINGVAS_ENV": local.name,
            "PINGVAS_STORAGE_URL": self.home.images.as_uri(),
            "PINGVAS_MODELS_DIR": str(PROJECT / "models"),
            "PINGVAS_JWT_SECRET": self.home.secrets()["jwt"],
            "PINGVAS_LOG_FORMAT": "console",
        }
        if self.postgres is not None:
            for purpose, password in self.passwords.items():
                if purpose in DATABASE_VARIABLES:
                    url = self.postgres.url(local.role(purpose), password, database=DATABASE)
                    chosen[DATABASE_VARIABLES[purpose]] = url
        if self.valkey is not None:
            chosen[REDIS_VARIABLE] = self.valkey.url
        usual = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": QUIET}
        return {**usual, **chosen, **{name: value for name, value in given.items() if value}}


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings that a process with these variables reads. Raises SetupError naming those that do not fit."""
    from pydantic import ValidationError

    from services.kernel.settings import Settings

    values = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = "\n".join(_complaint(one["loc"], one["msg"]) for one in error.errors())
        raise SetupError(f"The settings do not fit:\n{lines}", advice="Correct or unset them.") from error


def _complaint(place: tuple[int | str, ...], message: str) -> str:
    sentence = message.removeprefix("Value error, ")
    return f"{PREFIX}{'_'.join(map(str, place)).upper()}: {sentence}" if place else sentence
