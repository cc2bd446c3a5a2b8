"""Events of a generation: numbered in its row, kept in a capped stream, announced on one channel.

Entry `<seq>-0` of the stream is the row's event `seq`. A reader that finds a number missing (the stream was capped,
flushed, or two writers crossed) reads the row instead: the row is the truth, the stream a convenience.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
import redis
import redis.asyncio
from redis.exceptions import RedisError, ResponseError
from sqlalchemy import RowMapping

from blueprint.jobs import JOBS
from services.kernel.jobs import TERMINAL
from services.kernel.keys import Keys
from services.kernel.logs import get_logger

log = get_logger("events")
FIELD = b"event"


def event(row: Mapping[str, Any] | RowMapping, **more: Any) -> dict[str, Any]:
    """The payload of a transition, from the row that its statement returned."""
    failed = row["status"] == "failed"
    return {
        "id": str(row["id"]),
        "seq": row["event_seq"],
        "status": row["status"],
        "step": row["step"],
        "steps": row["request"]["steps"] * row["request"]["n"],
        "eta_seconds": None,
        "queue_position": None,
        "preview": None,
        "images": [],
        "error": {"code": row["error_code"], "message": row["error_message"]} if failed else None,
        **more,
    }


def image(row: Mapping[str, Any] | RowMapping) -> dict[str, Any]:
    """One picture as events and generations show it; `row` has id, position, seed, width and height of `images`."""
    path = f"/api/v1/images/{row['id']}"
    return {
        "id": str(row["id"]),
        "index": row["position"],
        "seed": row["seed"],
        "width": row["width"],
        "height": row["height"],
        "url": f"{path}/original",
        "thumbnail_url": f"{path}/thumbnail",
    }


def name(payload: Mapping[str, Any]) -> str:
    """`generation.progress` for news of a running job's steps, else `generation.<status>`."""
    told = "progress" if payload["status"] == "running" and payload["step"] else payload["status"]
    return f"generation.{told}"


def is_last(payload: Mapping[str, Any]) -> bool:
    return payload["status"] in TERMINAL


def _tell(pipe: Any, keys: Keys, payload: Mapping[str, Any]) -> None:
    stream = keys.events(payload["id"])
    entry = {FIELD: orjson.dumps(payload)}
    pipe.xadd(stream, entry, id=f"{payload['seq']}-0", maxlen=JOBS.events_kept, approximate=True)
    pipe.expire(stream, JOBS.events_ttl)
    pipe.publish(keys.wake, str(payload["id"]))


def tell(client: "redis.Redis", keys: Keys, payload: Mapping[str, Any]) -> None:
    """Tells an event from a thread. Redis being away costs the event, never the job."""
    try:
        with client.pipeline(transaction=False) as pipe:
            _tell(pipe, keys, payload)
            _check(pipe.execute(raise_on_error=False))
    except RedisError as error:
        log.warning("event not told", generation_id=payload["id"], seq=payload["seq"], error=repr(error))


async def tell_async(client: "redis.asyncio.Redis", keys: Keys, *payloads: Mapping[str, Any]) -> None:
    """The same from an event loop, several at once."""
    try:
        async with client.pipeline(transaction=False) as pipe:
            for payload in payloads:
                _tell(pipe, keys, payload)
            _check(await pipe.execute(raise_on_error=False))
    except RedisError as error:
        log.warning("events not told", count=len(payloads), error=repr(error))


def _check(replies: list[Any]) -> None:
    for reply in replies:
        # Two writers may cross on the way to Redis; the later number is in, and readers of the gap ask the row.
        if isinstance(reply, ResponseError) and "equal or smaller" in str(reply):
            continue
        if isinstance(reply, Exception):
            raise reply


async def since(client: "redis.asyncio.Redis", keys: Keys, generation_id: UUID | str, seq: int) -> list[dict[str, Any]]:
    """The stream's events after `seq`, in order."""
    entries: Any = await client.xrange(keys.events(generation_id), min=f"{seq + 1}-0")
    return [orjson.loads(fields[FIELD]) for _, fields in entries]
