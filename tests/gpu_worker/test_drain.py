"""What a signal does to a worker, in processes of their own."""

import signal
import subprocess
import sys

import pytest

from gpu_worker.drain import EX_TEMPFAIL, Drain
from studio.home import PROJECT

BUSY = """
import sys, time
from gpu_worker.drain import Drain
drain = Drain(patience={patience})
drain.install(lambda code: print("stop", code, flush=True), lambda: print("handed back", flush=True))
print("up", flush=True)
end = time.monotonic() + 20
while time.monotonic() < end:
    time.sleep(0.01)  # a step that takes no notice
"""


LOADING = """
import time
from gpu_worker.process import WorkerProcess
from services.kernel.settings import Settings
class Pool:
    def run(self, work):
        print("up", flush=True)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            time.sleep(0.01)  # torch and the model
WorkerProcess(Settings()).open(Pool())
"""


def start(patience: float) -> "subprocess.Popen[str]":
    return started(BUSY.format(patience=patience))


def started(program: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_step_that_takes_no_notice_is_not_waited_for(number: int) -> None:
    process = start(patience=0.2)
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert "stop 0\n" in out
    assert "handed back\n" in out
    assert process.returncode == EX_TEMPFAIL


def test_a_second_interrupt_ends_at_once() -> None:
    process = start(patience=30)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    while "stop" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGINT


def test_a_worker_that_still_loads_has_nothing_to_wait_for() -> None:
    process = started(LOADING)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == 0


def test_waiting_ends_with_the_worker() -> None:
    drain = Drain()
    assert not drain.wait(0.0)
    drain.request(3)
    drain.request()
    assert drain.wait(10)
    assert drain.exit_code == 3
