"""`./pingvas bench create`: accepted generations a second on one process, against a minimal hand-written route."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import sqlalchemy as sa

from bench.http_load import Measured, load, post
from bench.report import Row, table
from bench.servers import environment_of, studio_settings
from services.kernel.db import sync_engine
from services.kernel.ids import new_id
from services.kernel.ledger import GRANT
from services.kernel.settings import Settings
from services.kernel.tokens import Tokens
from studio.processes import free_port

USERS = 50
CONNECTIONS = 16
SECONDS = 8.0
ROUNDS = 3
DEFAULTS = {"width": 128, "height": 128, "steps": 20, "guidance_scale": 5.0, "native_sizes": [], "reason": None}
TABLE = "CREATE TABLE bench_jobs (id uuid PRIMARY KEY, request jsonb NOT NULL, created_at timestamptz DEFAULT now())"


def main() -> None:
    with studio_settings() as settings:
        tokens = _users(settings)
        url = settings.require("database_owner_url").get_secret_value()
        environment = {
            **environment_of(settings),
            "BENCH_DATABASE_URL": url,
            "BENCH_REDIS_URL": settings.redis_url.get_secret_value(),
        }
        ours, theirs = [], []
        with _serving("ours", environment) as our_port, _serving("baseline", environment) as their_port:
            for _ in range(ROUNDS):
                theirs.append(asyncio.run(_measure(their_port, "/jobs", [""])))
                ours.append(asyncio.run(_measure(our_port, "/api/v1/generations", tokens)))
    baseline = _median(theirs)
    rows = [
        _row("minimal route: one insert, one push", baseline, baseline),
        _row("generation service", _median(ours), baseline),
    ]
    table(
        "Accepting a generation: one process each, "
        f"{CONNECTIONS} connections, {SECONDS:g} s, median of {ROUNDS} rounds in turn",
        ("what", "requests/s", "p50 ms", "p99 ms", "of baseline", "answers"),
        rows,
    )


def _users(settings: Settings) -> list[str]:
    """Access tokens of users whose plan allows all that the run will ask."""
    tokens = Tokens(settings)
    engine = sync_engine(settings, role="owner")
    made = []
    with engine.begin() as connection:
        connection.execute(sa.text(TABLE))
        connection.execute(
            sa.text(
                "INSERT INTO models (id, name, kind, base, path, title, description, licence, defaults) VALUES"
                " (:id, :name, 'sdxl', 'sdxl', 'sdxl/x', 'x', '', '', CAST(:defaults AS jsonb))"
            ),
            {"id": new_id(), "name": settings.default_model, "defaults": json.dumps(DEFAULTS)},
        )
        for number in range(USERS):
            user = new_id()
            connection.execute(
                sa.text("INSERT INTO users (id, email, display_name, plan) VALUES (:id, :email, '', 'pro')"),
                {"id": user, "email": f"bench-{number}"},
            )
            connection.execute(GRANT, {"user_id": user, "amount": 10**9, "business_key": "bench"})
            made.append(tokens.access(user, "bench"))
    engine.dispose()
    return made


async def _measure(port: int, path: str, tokens: list[str]) -> Measured:
    body = json.dumps({"prompt": "a red circle on a blue background", "steps": 20}).encode()
    requests = [post(path, body, {"Authorization": f"Bearer {token}"} if token else {}) for token in tokens]
    return await load(port, lambda number: requests[number % len(requests)], connections=CONNECTIONS, seconds=SECONDS)


@contextmanager
def _serving(which: str, environment: dict[str, str]) -> Iterator[int]:
    port = free_port()
    child = subprocess.Popen([sys.executable, "-m", "bench.serve", which, str(port)], env={**os.environ, **environment})
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                httpx.get(f"http://127.0.0.1:{port}/docs", timeout=1, trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield port
    finally:
        child.terminate()
        child.wait(30)


def _median(rounds: list[Measured]) -> Measured:
    return sorted(rounds, key=lambda measured: measured.rate)[len(rounds) // 2]


def _row(name: str, measured: Measured, baseline: Measured) -> Row:
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(measured.statuses.items()))
    share = f"{measured.rate / baseline.rate:.2f}"
    return (name, f"{measured.rate:,.0f}", f"{measured.p50:.1f}", f"{measured.p99:.1f}", share, answers)
