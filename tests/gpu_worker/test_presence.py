"""Signs of life say that wake-ups are consumed."""

import time
from typing import Any

import pytest

from blueprint.queue import waiting_keys
from gpu_worker import presence
from gpu_worker.presence import Presence, healthy
from services.kernel.keys import Keys
from services.kernel.settings import Settings


@pytest.fixture
def signs(settings: Settings, valkey_client: Any) -> Any:
    key = Keys(settings.env).workers
    valkey_client.delete(key)
    yield lambda: valkey_client.zrange(key, 0, -1)
    valkey_client.delete(key)


def until(condition: Any) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_worker_is_seen_while_it_lives(settings: Settings, signs: Any) -> None:
    assert not healthy(settings)
    present = Presence(settings, presence.worker_name())
    present.start()
    until(signs)
    assert healthy(settings)
    present.stop()
    assert not signs()
    assert not healthy(settings)


def test_one_that_leaves_wake_ups_lying_gives_no_sign(
    settings: Settings, signs: Any, valkey_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "DEAF_AFTER", 0.0)
    lying = waiting_keys(settings.env)[9]
    valkey_client.lpush(lying, b"{}")
    try:
        deaf = Presence(settings, presence.worker_name())
        deaf.start()
        time.sleep(0.3)
        assert not signs()
        deaf.stop()
        busy = Presence(settings, presence.worker_name())
        busy.busy()
        busy.start()
        until(signs)
        busy.stop()
    finally:
        valkey_client.delete(lying)


def test_without_redis_nobody_is_called_ill(settings: Settings) -> None:
    away = settings.model_copy(update={"redis_url": type(settings.redis_url)("redis://127.0.0.1:1/0")})
    assert healthy(away)
