"""The whole studio, from an empty folder to the readiness line and back: what `./pingvas up` runs.

Order: lock; PostgreSQL and Valkey together; roles; tables; services and workers together. The end goes the other way.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from blueprint.services import SERVICES
from studio.console import Log
from studio.environment import Parts, settings_of
from studio.errors import BusyError, SetupError, StudioError
from studio.home import Home
from studio.logfile import ENDED
from studio.own import check_addresses, check_database, check_redis, migrated
from studio.processes import LOOPBACK, Children, port_free
from studio.state import Lock, State
from studio.supervisor import Program, Supervisor

# A process that fails is seen at once; this bound is for a machine that has much else to do.
SERVICES_SECONDS = 180
UNREADY_SECONDS = 5.0
SERVICES_STOP_SECONDS = 12.0
WORKER_STOP_SECONDS = 30.0
LOOP_SECONDS = 0.1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stop(Exception):  # noqa: N818 (control flow, not an error)
    """Somebody asked the studio to end."""


@dataclass(slots=True)
class Studio:
    """One run of the studio; `run` returns when it was asked to end and everything has ended."""

    home: Home
    log: Log
    port: int
    workers: int = 1
    _stopping: bool = field(default=False, init=False)
    _begun: float = field(default_factory=time.monotonic, init=False)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def run(self) -> None:
        """Starts everything, keeps it running, ends it.

        Raises:
            BusyError: a studio runs in this folder, or the port is taken.
            SetupError: PostgreSQL, Valkey or the tables could not be set up.
            StudioError: the services do not start.
        """
        self.home.prepare()
        with Lock(self.home), self._signals():
            state = State(os.getpid(), self.url, time.time(), workers=self.workers)
            state.write(self.home)
            children = Children(self.home.run / "children.json")
            left = children.end_leftovers()
            if left:
                self.log.say(f"ended what a killed studio left behind: {', '.join(left)}")
            if not port_free(self.port):
                raise BusyError(
                    f"Port {self.port} is taken by another program.",
                    advice=f"Choose another one: ./pingvas up --port {self.port + 1}",
                )
            logs = [self.home.logs / "postgres.log", self.home.logs / "valkey.log"]
            supervisor = Supervisor(self.log, children, logs)
            try:
                missing = self._start(supervisor)
                seconds = time.monotonic() - self._begun
                replace(state, ready=True, start_seconds=round(seconds, 2), unready=missing).write(self.home)
                but = f", but not all of it: {'; '.join(missing)}" if missing else ""
                self.log.say(f"Studio ready at {self.url} ({seconds:.1f} s){but}")
                self.log.say("Ctrl-C or ./pingvas down ends it" if sys.stdin.isatty() else "./pingvas down ends it")
                while not self._stopping:
                    supervisor.check()
                    time.sleep(LOOP_SECONDS)
            except _Stop:
                pass
            except Exception as error:
                # Whoever started it sees the error itself; who comes later finds it here.
                self.log.keep("studio", f"{ENDED}{' '.join(str(error).split())}")
                raise
            finally:
                self._end(supervisor)

    def _start(self, supervisor: Supervisor) -> list[str]:
        parts = Parts.of(self.home)
        servers = {"postgres": parts.postgres, "valkey": parts.valkey}
        embedded = {name: server for name, server in servers.items() if server is not None}
        for name, server in embedded.items():
            server.launch()
            supervisor.serve(name, server)
        # Imported while the servers start; a second of the start that costs nothing this way.
        import migrations  # noqa: F401
        from services.kernel.bootstrap import bootstrap

        environment = parts.environment()
        settings = settings_of(environment)
        check_addresses(settings)
        if parts.postgres is not None and settings.env != "local":
            raise SetupError(
                f"PINGVAS_ENV is {settings.env}, and the studio's own database holds the environment local alone.",
                advice="Unset PINGVAS_ENV, or name that environment's database with PINGVAS_DATABASE_URL and so on.",
            )
        for server in embedded.values():
            server.wait_ready()
            self._proceed()
        if parts.valkey is None:
            check_redis(settings)
        if parts.postgres is None:
            check_database(settings, "database_url", "database_worker_url", "database_owner_url")
        else:
            bootstrap(parts.postgres.admin_url, "local", parts.passwords)
        if settings.database_owner_url is not None:
            migrated(settings)
        self._proceed()
        services = Program("services", self._services(), environment, SERVICES_STOP_SECONDS)
        supervisor.start(services)
        for number in range(1, self.workers + 1):
            name = "worker" if self.workers == 1 else f"worker-{number}"
            supervisor.start(Program(name, worker_command(), environment, WORKER_STOP_SECONDS))
        return self._wait_services(supervisor)

    def _services(self) -> list[str | Path]:
        return [sys.executable, "-P", "-m", "studio.gateway", "--port", str(self.port)]

    def _wait_services(self, supervisor: Supervisor) -> list[str]:
        """What does not work of services that answer."""
        import httpx

        end = time.monotonic() + SERVICES_SECONDS
        patience = 0.0
        while time.monotonic() < end:
            self._proceed()
            code = supervisor.ended("services")
            if code is not None:
                raise StudioError(
                    f"The services ended with exit code {code}; the lines above say why.",
                    advice="`./pingvas logs services` shows them again.",
                )
            try:
                answer = httpx.get(f"{self.url}/readyz", timeout=5)
            except httpx.HTTPError:
                time.sleep(0.03)
                continue
            if answer.status_code == 200:
                return []
            # What is missing may be one part of five, such as the models: the rest is of use without it.
            patience = patience or time.monotonic() + UNREADY_SECONDS
            if time.monotonic() > patience:
                missing = [f"{name} is not ready: {reason}" for name, reason in unready(answer.json())]
                for one in missing:
                    self.log.say(f"WARNING {one}; ./pingvas logs services says more")
                return missing
            time.sleep(0.2)
        raise StudioError(
            f"The services were not ready within {SERVICES_SECONDS} s.", advice="`./pingvas logs services` says more."
        )

    def _proceed(self) -> None:
        if self._stopping:
            raise _Stop

    def _end(self, supervisor: Supervisor) -> None:
        self._stopping = True
        self.log.say("ending")
        begun = time.monotonic()
        supervisor.stop()
        self.log.say(f"ended ({time.monotonic() - begun:.1f} s)")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def ask(_: int, __: FrameType | None) -> None:
            self._stopping = True

        before = {number: signal.signal(number, ask) for number in _ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def unready(readiness: dict[str, Any]) -> list[tuple[str, str]]:
    """The services that are not ready and why, from the gateway's `/readyz`."""
    found = []
    for name, answer in readiness["services"].items():
        bad = [f"{check} {word}" for check, word in answer["checks"].items() if word != "ok"]
        if bad:
            found.append((SERVICES[name].title, ", ".join(bad)))
    return found


def worker_command() -> list[str | Path]:
    """One worker, as its container runs it."""
    return [sys.executable, "-P", "-m", "gpu_worker"]
