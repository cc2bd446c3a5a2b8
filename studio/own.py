"""Servers of the caller's own: whether their addresses can be read, and whether they answer.

No message shows more of an address than its variable's name: addresses carry passwords.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from studio.errors import SetupError, StudioError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from services.kernel.settings import Settings

DRIVER = "postgresql+psycopg"
CONNECT_SECONDS = 5
_DATABASES = ("database_url", "database_reader_url", "database_worker_url", "database_owner_url")


def check_addresses(settings: Settings) -> None:
    """Raises SetupError, which names the variable, for an address that no service could use."""
    for name in _DATABASES:
        address = getattr(settings, name)
        if address is not None and address.get_secret_value():
            _check_database(_variable(name), address.get_secret_value())
    _check_redis(settings.redis_url.get_secret_value())
    if settings.storage_url:
        _check_storage(settings.storage_url)


def check_database(settings: Settings, *names: str) -> None:
    """Signs in to the database as each of these settings says. Raises SetupError for one that does not let us in."""
    import psycopg

    from services.kernel.addresses import libpq

    for name in names:
        address: SecretStr | None = getattr(settings, name)
        if address is None or not address.get_secret_value():
            continue
        url = address.get_secret_value()
        try:
            psycopg.connect(libpq(url), connect_timeout=CONNECT_SECONDS).close()
        except (psycopg.Error, OSError) as error:
            raise SetupError(
                f"The database of {_variable(name)} cannot be reached: {reason(error, url)}",
                advice=f"Start it, or correct {_variable(name)}; without the variables a database of the studio's own "
                "is used.",
            ) from error


def check_redis(settings: Settings) -> None:
    """Raises SetupError when the Redis of PINGVAS_REDIS_URL does not answer."""
    import redis

    from services.kernel.redis import client
    from studio.valkey import AT_ONCE

    url = settings.redis_url.get_secret_value()
    try:
        with client(url) as connection:
            connection.set_retry(AT_ONCE)
            connection.ping()
    except (redis.RedisError, OSError) as error:
        raise SetupError(
            f"The Redis of PINGVAS_REDIS_URL does not answer: {reason(error, url)}",
            advice="Start it, or correct PINGVAS_REDIS_URL; without the variable a Valkey of the studio's own is used.",
        ) from error


def migrated(settings: Settings) -> None:
    """Brings the tables up to date. Raises StudioError with the database's own words; nothing is changed then."""
    from sqlalchemy.exc import SQLAlchemyError

    from migrations import upgrade

    try:
        upgrade(settings)
    except SQLAlchemyError as error:
        told = reason(error, settings.require("database_owner_url").get_secret_value())
        raise StudioError(
            f"The migration failed and changed nothing: {told}",
            advice="Look at PINGVAS_DATABASE_OWNER_URL: the role must own the schema.",
        ) from error


def reason(error: Exception, url: str) -> str:
    """The first line of an error, without what stands before the host of an address."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0].strip()
    login = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    for piece in sorted({login, unquote(login), *login.split("@")}, key=len, reverse=True):
        if piece:
            text = text.replace(piece, "***")
    return text


def _variable(name: str) -> str:
    return f"PINGVAS_{name.upper()}"


def _check_database(variable: str, url: str) -> None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        fits = make_url(url).drivername == DRIVER
    except (ArgumentError, ValueError):
        fits = False
    if not fits:
        raise SetupError(
            f"{variable} is no address of a PostgreSQL database.",
            advice=f"It has the form {DRIVER}://role:password@host:5432/database.",
        )


def _check_redis(url: str) -> None:
    from services.kernel.redis import client

    try:
        client(url).close()
    except ValueError:
        raise SetupError(
            "PINGVAS_REDIS_URL is no address of a Redis.",
            advice="It has the form redis://:password@host:6379/0, rediss://... or "
            "sentinel://:password@host:26379,host:26379/0?service=name.",
        ) from None


def _check_storage(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme == "s3" and parts.netloc:
        return
    if parts.scheme != "file" or not parts.path:
        raise SetupError(
            "PINGVAS_STORAGE_URL is no place to keep pictures.",
            advice="It has the form file:///folder or s3://bucket.",
        )
    folder = Path(unquote(parts.path))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"The folder of PINGVAS_STORAGE_URL, {folder}, cannot be made: {error.strerror}.",
            advice="Name another one, or unset the variable.",
        ) from error
