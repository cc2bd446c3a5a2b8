"""A service that is told to end: it answers what it has begun, takes nothing new, and is gone in time.

That it takes nothing new is why a pod first sleeps (`blueprint.rollout`): until the load balancer has stopped sending.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from blueprint.rollout import ROLLOUT
from blueprint.services import HTTP
from studio.home import PROJECT
from studio.processes import LOOPBACK, free_port

SLOW_SECONDS = 2
PROGRAM = f"""
import asyncio, sys
from types import SimpleNamespace
from fastapi import FastAPI
from services.kernel.http.server import server

app = FastAPI()
app.state.kernel = SimpleNamespace(on_stop=[])

@app.get("/slow")
async def slow():
    print("begun", flush=True)
    await asyncio.sleep({SLOW_SECONDS})
    return "whole"

@app.get("/quick")
async def quick():
    return "whole"

print("made", flush=True)
server(app, [app], host="{LOOPBACK}", port=int(sys.argv[1])).run()
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def process(port: int) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as running:
        yield running
        running.kill()


def test_a_request_that_runs_is_answered_and_no_other_is_taken(process: "subprocess.Popen[str]", port: int) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "made\n"
    url = f"http://{LOOPBACK}:{port}"
    with httpx.Client(base_url=url, timeout=30) as http, ThreadPoolExecutor(1) as threads:
        for _ in range(200):
            try:
                assert http.get("/quick").json() == "whole"  # and an idle connection is open from here on
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        running = threads.submit(httpx.get, f"{url}/slow", timeout=30)
        assert process.stdout.readline() == "begun\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(SLOW_SECONDS / 4)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/quick", timeout=30)
        assert running.result().json() == "whole"
        process.wait(HTTP.graceful_shutdown_seconds)
        assert time.monotonic() - began < SLOW_SECONDS + ROLLOUT.exit_reserve, "an idle connection held its end"
