"""Redis by URL: the three schemes, passwords with odd characters, and a real server."""

import pytest

from services.kernel.redis import RedisAddress, RedisUnavailableError, async_client, client
from services.kernel.settings import Settings
from studio.processes import free_port


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "rediss://:token@cache.internal:6379/1"])
def test_what_redis_py_understands_is_left_alone(url: str) -> None:
    address = RedisAddress.parse(url)
    assert address.url == url
    assert address.sentinels == ()


def test_a_sentinel_url_is_taken_apart() -> None:
    address = RedisAddress.parse("sentinel://app:p%40ss@a:26379,b:26380,c:26381/2?service=main")
    assert address.sentinels == (("a", 26379), ("b", 26380), ("c", 26381))
    assert (address.username, address.password) == ("app", "p@ss")
    assert (address.service, address.database) == ("main", 2)


def test_a_sentinel_url_has_defaults() -> None:
    address = RedisAddress.parse("sentinel://a:26379")
    assert (address.service, address.database, address.username, address.password) == ("mymaster", 0, None, None)


@pytest.mark.parametrize("url", ["http://x", "", "memcached://x:1", "sentinel://a"])
def test_another_scheme_or_a_host_without_a_port_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        RedisAddress.parse(url)


async def test_both_clients_speak_to_a_real_server(settings: Settings) -> None:
    url = settings.redis_url.get_secret_value()
    with client(url) as blocking:
        blocking.set("test:redis", "1", ex=5)
    async with async_client(url) as waiting:
        assert await waiting.get("test:redis") == b"1"


async def test_no_server_is_one_kind_of_error() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(RedisUnavailableError), client(url) as blocking:
        blocking.ping()
    with pytest.raises(RedisUnavailableError):
        async with async_client(url) as waiting:
            await waiting.ping()
