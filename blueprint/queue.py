"""The queue's Redis keys, as Celery's transport names them: services and workers use them, KEDA counts them."""

from blueprint.plans import PRIORITIES
from blueprint.worker import QUEUE

PRIORITY_SEPARATOR = "\x06\x16"
"""Kombu's own default, between a queue's name and its priority step."""
UNACKED = "unacked"
"""Hash: wake-ups that a worker has taken and not acknowledged."""
UNACKED_INDEX = "unacked_index"
"""Sorted set: the same by the time since when they are held; past the visibility timeout they go back to their list."""


def celery_prefix(environment: str) -> str:
    """Before every key that kombu writes: queues, `unacked`, bindings.

    >>> celery_prefix("dev")
    'dev:celery:'
    """
    return f"{environment}:celery:"


def queue_key(priority: int) -> str:
    """The Redis list of one priority step, without the environment's prefix; kombu gives step 0 no suffix.

    >>> queue_key(0), queue_key(3)
    ('generations', 'generations\\x06\\x163')
    """
    return f"{QUEUE}{PRIORITY_SEPARATOR}{priority}" if priority else QUEUE


def waiting_keys(environment: str) -> dict[int, str]:
    """Redis lists of wake-ups that wait, by priority."""
    return {priority: f"{celery_prefix(environment)}{queue_key(priority)}" for priority in PRIORITIES}


def unacked_key(environment: str) -> str:
    """Redis hash of wake-ups that are being worked on."""
    return f"{celery_prefix(environment)}{UNACKED}"


def unacked_index_key(environment: str) -> str:
    """Redis sorted set of the same wake-ups, by when their worker last said that it works on them."""
    return f"{celery_prefix(environment)}{UNACKED_INDEX}"
