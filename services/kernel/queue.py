"""Celery over Redis, as both sides use it: the services publish, the worker consumes.

The queue only wakes workers, so nothing here has to be exact: a message that is lost is sent again by the sweeper,
one that comes twice finds nothing to claim.
"""

import os
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from blueprint.plans import PRIORITIES
from blueprint.queue import PRIORITY_SEPARATOR, waiting_keys
from blueprint.worker import QUEUE, TASK_RENDER, WORKER
from services.kernel.keys import Keys
from services.kernel.redis import RedisAddress, client
from services.kernel.settings import Settings

# SIGTERM would let Celery finish the whole task; as SIGQUIT it shuts down softly and the job is handed back at its
# next step. Celery reads this when it is imported.
os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")

from celery import Celery
from kombu.exceptions import OperationalError

PublishError = (OperationalError, ConnectionError)


def celery_app(settings: Settings) -> Celery:
    """The Celery application; every setting has its reason beside it."""
    address = RedisAddress.parse(settings.redis_url.get_secret_value())
    keys = Keys(settings.env)
    transport: dict[str, Any] = {
        "global_keyprefix": keys.celery_prefix,
        "visibility_timeout": WORKER.visibility_timeout_seconds,
        "queue_order_strategy": "priority",
        "priority_steps": list(PRIORITIES),
        "sep": PRIORITY_SEPARATOR,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 15,
    }
    broker = address.url
    if address.sentinels:
        login = f"{address.username or ''}:{address.password}@" if address.password else ""
        broker = ";".join(f"sentinel://{login}{host}:{port}/{address.database}" for host, port in address.sentinels)
        transport |= {"master_name": address.service, "sentinel_kwargs": {"socket_timeout": 1}}
    app = Celery("pingvas", broker=broker)
    app.conf.update(
        broker_transport_options=transport,
        broker_connection_retry_on_startup=True,  # the worker may be up before Redis is
        broker_connection_max_retries=None,  # and outlives its absence
        task_default_queue=QUEUE,
        task_ignore_result=True,  # results live in PostgreSQL
        task_acks_late=True,  # a worker that dies leaves its wake-up to another
        task_reject_on_worker_lost=True,
        task_default_delivery_mode="persistent",
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,  # with --disable-prefetch: what waits is in Redis, where KEDA sees it
        worker_disable_prefetch=True,
        worker_concurrency=1,  # one process a GPU
        worker_soft_shutdown_timeout=WORKER.soft_shutdown_seconds,
        worker_enable_soft_shutdown_on_idle=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the lease decides, not the broker's health
        worker_send_task_events=False,
        worker_hijack_root_logger=False,  # logs are JSON lines of our own
        task_publish_retry=True,
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 0.5},
    )
    return app


class Publisher:
    """Sends wake-ups; made for a thread, since kombu blocks."""

    def __init__(self, settings: Settings) -> None:
        self._app = celery_app(settings)
        self._env = settings.env
        self._redis = client(settings.redis_url.get_secret_value())

    def send(self, jobs: Iterable[tuple[UUID, int, str]]) -> None:
        """Sends a wake-up for each (generation id, priority, request id).

        Raises:
            PublishError: Redis is away; what was sent before stays sent, and sending it again is harmless.
        """
        with self._app.producer_pool.acquire(block=True, timeout=5) as producer:
            for generation_id, priority, request_id in jobs:
                self._app.send_task(
                    TASK_RENDER,
                    args=(str(generation_id),),
                    priority=priority,
                    producer=producer,
                    headers={"request_id": request_id},
                )

    def depth(self) -> int:
        """Wake-ups that wait: a list a priority step.

        What kombu keeps in `unacked` is not counted: a killed worker's wake-up stays there until its visibility
        timeout, long after the job itself was queued again.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            for key in waiting_keys(self._env).values():
                pipe.llen(key)
            return int(sum(pipe.execute()))

    def close(self) -> None:
        self._app.close()
        self._redis.close()
