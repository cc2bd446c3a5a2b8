"""What `./pingvas status` says: the state of every part of the running studio."""

import time
from typing import TYPE_CHECKING, Any

import httpx

from blueprint.jobs import JOBS
from blueprint.services import SERVICES
from services.kernel.keys import Keys
from services.kernel.settings import Settings
from studio.environment import Parts, settings_of
from studio.home import Home
from studio.state import State, running

if TYPE_CHECKING:
    import redis

_SECONDS = 5.0

Part = dict[str, str]


def report(home: Home) -> dict[str, Any]:
    """The studio of this folder as plain values; `parts` has name, state (`ok`, `starting`, `down`) and detail."""
    state = running(home)
    found: dict[str, Any] = {"running": state is not None, "ready": False, "home": str(home.root), "parts": []}
    if state is None:
        return found
    parts = Parts.of(home, running=True)
    settings = settings_of(parts.environment())
    services = _services(state)
    return {
        **found,
        "ready": state.ready,
        "url": state.url,
        "pid": state.pid,
        "uptime": _span(time.time() - state.started),
        "start_seconds": state.start_seconds,
        "parts": [
            _postgres(parts, settings),
            *_redis_and_queue(parts, settings, state),
            *services,
        ],
    }


def _services(state: State) -> list[Part]:
    try:
        with httpx.Client(timeout=_SECONDS, trust_env=False) as http:
            answers = http.get(f"{state.url}/readyz").json()["services"]
    except (httpx.HTTPError, ValueError, KeyError):
        waiting = "down" if state.ready else "starting"
        return [_part(service.title, waiting) for service in SERVICES.values()]
    rows = []
    for name, service in SERVICES.items():
        answer = answers.get(name, {"status": "missing", "checks": {}})
        bad = [f"{check}: {word}" for check, word in answer["checks"].items() if word != "ok"]
        rows.append(_part(service.title, "ok" if answer["status"] == "ok" else "down", ", ".join(bad) or state.url))
    return rows


def _postgres(parts: Parts, settings: Settings) -> Part:
    import psycopg

    from services.kernel.addresses import libpq

    kind = "embedded" if parts.postgres else "yours"
    try:
        url = settings.require("database_url").get_secret_value()
        with psycopg.connect(libpq(url), connect_timeout=int(_SECONDS)) as connection:
            info = connection.info
            version = info.server_version
            detail = f"{kind}, {version // 10000}.{version % 10000} at {info.host}:{info.port}"
    except (psycopg.Error, OSError) as error:
        return _part("postgres", "down", str(error).strip().splitlines()[0])
    return _part("postgres", "ok", detail)


def _redis_and_queue(parts: Parts, settings: Settings, state: State) -> list[Part]:
    import redis

    from services.kernel.redis import client

    url = settings.redis_url.get_secret_value()
    kind = "embedded" if parts.valkey else "yours"
    try:
        with client(url) as connection:
            info: dict[str, Any] = connection.info("server")
            signs: list[tuple[bytes, float]] = connection.zrange(Keys(settings.env).workers, 0, -1, withscores=True)
            place = _address(connection)
    except (redis.RedisError, OSError) as error:
        return [_part("valkey", "down", str(error))]
    version = info.get("valkey_version") or info.get("redis_version")
    rows = [_part("valkey", "ok", f"{kind}, {version} at {place}")]
    now = time.time()
    alive = [(name.decode(), now - seen) for name, seen in signs if now - seen < JOBS.worker_seen]
    rows += [_part(f"worker {name}", "ok", f"last sign {age:.0f} s ago") for name, age in alive]
    missing = state.workers - len(alive)
    if missing > 0:
        rows.append(_part("worker", "starting", f"{missing} not heard of yet; they load their libraries first"))
    if not state.workers and not alive:
        rows.append(_part("worker", "none", "started with --no-worker"))
    return rows


def _address(connection: "redis.Redis") -> str:
    """The host and port that a client speaks to; behind sentinels the primary that they name."""
    pool = connection.connection_pool
    known = pool.connection_kwargs
    host, port = (
        pool.get_master_address()
        if hasattr(pool, "get_master_address")
        else (
            known.get("host", "localhost"),
            known.get("port", 6379),
        )
    )
    return f"{host}:{port}"


def _part(name: str, state: str, detail: str = "") -> Part:
    return {"name": name, "state": state, "detail": detail}


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
