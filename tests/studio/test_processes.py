"""Children end with their parent, and what an earlier studio left is found again."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.home import PROJECT, read_json, write_json
from studio.processes import LOOPBACK, Children, Ports, port_free, spawn, stop
from tests.studio.conftest import eventually

PARENT = """
import subprocess, sys, time
from studio.processes import spawn
child = spawn(["sleep", "60"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")
def test_a_child_ends_when_its_parent_is_killed() -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child)
        parent.kill()
    assert eventually(lambda: gone(child), 5)


def test_stop_waits_then_kills_the_whole_group() -> None:
    polite = spawn(["sleep", "60"], stdout=subprocess.DEVNULL)
    assert stop(polite, signal.SIGTERM, 5)
    script = "trap '' TERM; sleep 60 & echo $!; wait; sleep 60"
    stubborn = spawn(["sh", "-c", script], stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    grandchild = int(stubborn.stdout.readline())
    began = time.monotonic()
    assert not stop(stubborn, signal.SIGTERM, 0.3)
    stubborn.stdout.close()
    assert time.monotonic() - began < 3
    assert eventually(lambda: gone(grandchild), 3)


def test_leftovers_are_ended_but_never_a_stranger(tmp_path: Path) -> None:
    path = tmp_path / "children.json"
    with subprocess.Popen(["sleep", "60"]) as ours, subprocess.Popen(["sleep", "60"]) as stranger:
        started = psutil.Process(ours.pid).create_time()
        write_json(
            path,
            {
                "worker": {"pid": ours.pid, "started": started},
                "services": {"pid": stranger.pid, "started": started - 100},
                "postgres": {"pid": 2**22 + 1, "started": started},
            },
        )
        try:
            assert Children(path).end_leftovers(timeout=2) == ["worker"]
            assert gone(ours.pid)
            assert stranger.poll() is None
        finally:
            ours.kill()
            stranger.kill()
    assert read_json(path) == {}


def test_the_record_follows_what_runs(tmp_path: Path) -> None:
    children = Children(tmp_path / "children.json")
    children.add("studio", os.getpid())
    assert Children(tmp_path / "children.json").pids == {"studio": os.getpid()}
    children.remove("studio")
    assert Children(tmp_path / "children.json").pids == {}


def test_ports_stay_unless_somebody_took_them(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    first = ports.pick("postgres")
    assert ports.pick("postgres") == first
    with socket.socket() as thief:
        thief.bind((LOOPBACK, first))
        thief.listen()
        assert not port_free(first)
        assert ports.pick("postgres", running=True) == first
        second = ports.pick("postgres")
    assert second != first
    assert ports.pick("postgres") == second
