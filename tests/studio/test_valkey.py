"""The embedded Valkey: what was acknowledged survives a kill, and a failover is followed."""

import os
import signal
import time
from pathlib import Path

import pytest
import redis

from services.kernel.redis import client
from studio.processes import free_port
from studio.valkey import AT_ONCE, Sentinels, Valkey
from tests.studio.conftest import eventually


@pytest.fixture
def server(root: Path) -> Valkey:
    (root / "valkey").mkdir()
    return Valkey(root / "valkey", port=free_port(), password="word", log=root / "valkey.log")


def test_what_it_wrote_survives_sigkill(server: Valkey) -> None:
    server.start()
    with redis.Redis.from_url(server.url) as connection:
        connection.set("key", "value")
        connection.waitaof(1, 0, 5000)
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.start()
    try:
        with redis.Redis.from_url(server.url) as connection:
            assert connection.get("key") == b"value"
            assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    finally:
        server.stop()


def test_it_wants_the_password_and_shows_it_to_no_other_user(server: Valkey) -> None:
    server.start()
    try:
        with (
            redis.Redis(host="127.0.0.1", port=server.port, retry=AT_ONCE) as connection,
            pytest.raises(redis.AuthenticationError),
        ):
            connection.ping()
        assert server.process is not None
        assert b"word" not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
    finally:
        server.stop()


def test_the_kernel_follows_a_failover(root: Path) -> None:
    servers = Sentinels(root, password="word", down_after=0.5)
    servers.start()
    try:
        with client(servers.url) as connection:
            connection.set("key", "before")
            connection.wait(2, 2000)
            first = servers.primary
            assert first.process is not None
            os.killpg(first.process.pid, signal.SIGKILL)
            first.process.wait()
            began = time.monotonic()

            def written() -> bool:
                try:
                    return bool(connection.set("key", "after"))
                except redis.RedisError:
                    return False

            assert eventually(written, 20)
            assert time.monotonic() - began < 20
            assert connection.get("key") == b"after"
        assert servers.primary is not first
    finally:
        servers.stop()
