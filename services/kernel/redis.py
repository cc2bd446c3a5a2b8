"""Redis clients by URL: `redis://`, `rediss://` and `sentinel://host:port[,host:port]/db?service=name`."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis
import redis.asyncio
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import Sentinel

SOCKET_SECONDS = 5
DEFAULT_SERVICE = "mymaster"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A Redis URL, taken apart where redis-py would not understand it."""

    url: str
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = DEFAULT_SERVICE
    database: int = 0
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Reads a URL.

        >>> RedisAddress.parse("sentinel://:pw@a:26379,b:26379/0?service=main").sentinels
        (('a', 26379), ('b', 26379))

        Raises:
            ValueError: the scheme is none of redis, rediss and sentinel.
        """
        scheme, _, rest = url.partition("://")
        if scheme in ("redis", "rediss"):
            return cls(url)
        if scheme != "sentinel":
            raise ValueError(f"PINGVAS_REDIS_URL: {scheme!r} is none of redis://, rediss:// and sentinel://")
        authority, _, tail = rest.partition("/")
        login, _, hosts = authority.rpartition("@")
        username, _, password = login.partition(":")
        parts = urlsplit(f"//x/{tail}")
        pairs = [host.rpartition(":") for host in hosts.split(",")]
        return cls(
            url,
            sentinels=tuple((host, int(port)) for host, _, port in pairs),
            service=parse_qs(parts.query).get("service", [DEFAULT_SERVICE])[0],
            database=int(parts.path.strip("/") or 0),
            username=unquote(username) or None,
            password=unquote(password) or None,
        )


def _options() -> dict[str, Any]:
    return {"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": SOCKET_SECONDS, "health_check_interval": 15}


def _login(address: RedisAddress) -> dict[str, Any]:
    return {"db": address.database, "username": address.username, "password": address.password}


def async_client(url: str) -> "redis.asyncio.Redis":
    """An asynchronous client of the primary; it follows a failover by itself."""
    address = RedisAddress.parse(url)
    if address.sentinels:
        sentinels: Any = AsyncSentinel
        primary: redis.asyncio.Redis = sentinels(list(address.sentinels), socket_timeout=1).master_for(
            address.service, **_login(address), **_options()
        )
        return primary
    return redis.asyncio.Redis.from_url(url, **_options())


async def close(connected: "redis.asyncio.Redis") -> None:
    """Closes an asynchronous client, and what it keeps to the sentinels."""
    manager = getattr(connected.connection_pool, "sentinel_manager", None)
    for each in (*(manager.sentinels if manager else ()), connected):
        await each.aclose()
        await each.connection_pool.disconnect()


def client(url: str) -> "redis.Redis":
    """The same for threads."""
    address = RedisAddress.parse(url)
    if address.sentinels:
        sentinels: Any = Sentinel
        primary: redis.Redis = sentinels(list(address.sentinels), socket_timeout=1).master_for(
            address.service, **_login(address), **_options()
        )
        return primary
    return redis.Redis.from_url(url, **_options())


RedisUnavailableError = (RedisConnectionError, redis.exceptions.TimeoutError)
"""What redis-py raises when the server is away; both kinds of client raise the same."""
