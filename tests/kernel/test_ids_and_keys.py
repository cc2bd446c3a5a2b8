"""Identifiers arrive in order; every Redis key begins with its environment."""

import time
from uuid import UUID

from services.kernel.ids import new_id
from services.kernel.keys import Keys


def test_ids_are_version_7_and_in_order() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(one.version == 7 and one.variant == "specified in RFC 4122" for one in ids)
    assert before <= ids[0].int >> 80 <= time.time_ns() // 1_000_000
    time.sleep(0.002)
    assert new_id() > max(ids)


def test_keys_of_two_environments_never_meet() -> None:
    def all_keys(env: str) -> list[str]:
        keys = Keys(env)
        some = UUID(int=1)
        made = [keys.celery_prefix, keys.wake, keys.pace, keys.workers]
        return [*made, keys.events(some), keys.session("s"), keys.user_sessions(some)]

    dev, prod = all_keys("dev"), all_keys("prod")
    assert all(key.startswith("dev:") for key in dev)
    assert not set(dev) & set(prod)
    assert len(set(dev)) == len(dev)
