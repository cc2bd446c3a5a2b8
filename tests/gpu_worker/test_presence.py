"""Signs of life say that wake-ups are consumed."""

import time
from typing import Any

import pytest

from blueprint.queue import unacked_index_key, unacked_key, waiting_keys
from blueprint.worker import WORKER
from gpu_worker import presence
from gpu_worker.presence import Presence, healthy
from services.kernel.ids import new_id
from services.kernel.keys import Keys
from services.kernel.queue import Publisher, celery_app
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


@pytest.mark.parametrize("busy", [True, False])
def test_the_wake_up_of_a_job_that_takes_long_stays_in_flight_and_a_dead_workers_goes_back(
    busy: bool, settings: Settings, valkey_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the visibility timeout any worker gives back what nobody renewed; KEDA counts lists and hash."""
    monkeypatch.setattr(presence, "SIGN_EVERY", 0.02)
    lists = list(waiting_keys(settings.env).values())
    unacked, index = unacked_key(settings.env), unacked_index_key(settings.env)
    valkey_client.delete(*lists, unacked, index)
    publisher, app = Publisher(settings), celery_app(settings)
    working = Presence(settings, presence.worker_name())
    try:
        publisher.send([(new_id(), 3, "request")])
        with app.connection_for_read() as connection, connection.channel() as channel:
            message = channel.basic_get(app.conf.task_default_queue, no_ack=False)
            long_ago = time.time() - 2 * WORKER.visibility_timeout_seconds
            valkey_client.zadd(index, {message.delivery_tag: long_ago})
            if busy:
                working.take(message.delivery_tag)
                working.start()
                until(lambda: valkey_client.zscore(index, message.delivery_tag) > long_ago)
            channel.qos.restore_visible(interval=1)
            waiting = sum(valkey_client.llen(key) for key in lists)
            assert (waiting, valkey_client.hlen(unacked)) == ((0, 1) if busy else (1, 0))
            channel.basic_ack(message.delivery_tag)
            time.sleep(0.1)
            assert not valkey_client.zcard(index), "what is acknowledged is not renewed"
    finally:
        working.stop()
        valkey_client.delete(*lists, unacked, index)
        publisher.close()
        app.close()
