"""One run: a studio of its own, its users, its faults, and the table of what held."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from services.kernel.keys import Keys
from studio.chaos.faults import Faults
from studio.chaos.load import Load
from studio.chaos.verify import Check, Verifier
from studio.environment import Parts, settings_of
from studio.errors import StudioError
from studio.home import PROJECT, Home
from studio.processes import LOOPBACK, Children, free_port
from studio.state import running

START_SECONDS = 120
REAP_SECONDS = 3.0
TIMING = {
    "PINGVAS_LEASE_SECONDS": "4",
    "PINGVAS_RENEW_SECONDS": "0.4",
    "PINGVAS_SWEEP_SECONDS": "1",
    "PINGVAS_REPUBLISH_SECONDS": "2",
    "PINGVAS_REAP_SECONDS": str(REAP_SECONDS),
}
"""The protocol as it is, with clocks that run faster: a lease in the cloud is 30 seconds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, and how rough. `kill_every` in seconds."""

    generations: int = 200
    users: int = 20
    workers: int = 2
    kill_every: float = 6.0
    steps: int = 8
    seed: int = 1
    limit_seconds: float = 540.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run showed."""

    plan: Plan
    seconds: float
    ends: Counter[str]
    struck: dict[str, int]
    repeated_jobs: int
    repeated_requests: int
    checks: list[Check]

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)


def run(plan: Plan, home: Home, *, extra: dict[str, str] | None = None, log: Path | None = None) -> Outcome:
    """Runs chaos in `home`, which is to be empty and is left for whoever wants to look.

    Raises:
        StudioError: the studio did not start, or jobs were unfinished at the plan's limit.
    """
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PINGVAS_")}
    environment = {**inherited, **TIMING, **(extra or {}), "PINGVAS_HOME": str(home.root)}
    command = [sys.executable, "-m", "studio", "up", "--port", str(port), "--workers", str(plan.workers)]
    log = log or home.root / "chaos.log"
    with log.open("wb") as lines:
        studio = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=lines, stderr=subprocess.STDOUT)
    try:
        _wait_ready(home, studio, log)
        settings = settings_of(Parts.of(home, environment, running=True).environment(environment))
        load = Load(url, users=plan.users, generations=plan.generations, steps=plan.steps, seed=plan.seed)
        faults = Faults(
            lambda: Children(home.run / "children.json").pids,
            settings.redis_url.get_secret_value(),
            Keys(settings.env).workers,
            plan.seed,
            plan.kill_every,
            lambda: load.ended / plan.generations,
        )
        began = time.monotonic()
        faults.start()
        try:
            asyncio.run(asyncio.wait_for(load.run(pause=1.0), plan.limit_seconds))
        except TimeoutError:
            left = plan.generations - load.ended
            raise StudioError(
                f"{left} generations had not ended after {plan.limit_seconds:.0f} s.", advice=f"{log} says more."
            ) from None
        finally:
            faults.stop()
        seconds = time.monotonic() - began
        time.sleep(REAP_SECONDS + 4)
        verifier = Verifier(settings, load, url)
        checks = verifier.checks()
        states = Counter(request.states[-1] for request in load.requests if request.states)
        repeated = sum(request.retries > 0 for request in load.requests)
        return Outcome(plan, seconds, states, faults.struck, verifier.repeated, repeated, checks)
    finally:
        studio.send_signal(signal.SIGTERM)
        try:
            studio.wait(60)
        except subprocess.TimeoutExpired:
            studio.kill()


def _wait_ready(home: Home, studio: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and studio.poll() is None:
        state = running(home)
        if state is not None and state.ready:
            return
        time.sleep(0.1)
    studio.terminate()
    raise StudioError("The studio for the chaos run did not start.", advice=f"{log} says why.")
