"""`./pingvas bench jobs`: what the platform adds to a picture, and what it costs the worker.

Overhead is the time from a POST to the event that says the picture is there, less the time that the pipeline took.
Throughput is a real worker's, on jobs that wait, against a plain diffusers loop with the same model and threads.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from bench.report import table
from bench.servers import environment_of, studio_settings
from services.kernel.settings import Settings
from studio.client import Client
from studio.processes import free_port, spawn

SINGLE = 30
"""Jobs asked for one after the other, for the overhead."""
WAITING = 60
"""Jobs asked for at once, for the throughput."""
ROUNDS = 3
WAIT_SECONDS = 120
PROMPT = "a red circle on a blue background"
PHASES = ("claim", "load", "render", "encode", "upload", "commit")


def main() -> None:
    with studio_settings(PINGVAS_LOG_LEVEL="INFO", PINGVAS_LOG_FORMAT="json") as settings:
        port = free_port()
        with (
            _child(["-m", "studio.gateway", "--port", str(port)], settings),
            _worker(settings) as worker,
            Client(f"http://127.0.0.1:{port}") as client,
        ):
            _sign_in(client)
            for _ in range(3):
                _make(client)
            overhead = _overhead(client, worker)
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs.append(_plain(settings, WAITING))
                ours.append(_throughput(client, worker))
    _print_overhead(overhead)
    baseline, rate = statistics.median(theirs), statistics.median(ours)
    table(
        f"Throughput of one worker: {WAITING} waiting jobs, median of {ROUNDS} rounds in turn",
        ("what", "pictures/s", "of baseline", "rounds"),
        [
            ("plain diffusers loop, nothing saved", f"{baseline:.2f}", "1.00", _rounds(theirs)),
            (
                "worker: claim, render, PNG, thumbnail, upload, commit",
                f"{rate:.2f}",
                f"{rate / baseline:.2f}",
                _rounds(ours),
            ),
        ],
    )


@dataclass(slots=True)
class Worker:
    """A worker process and the ends of attempts that it has logged, with the moment each was read."""

    ends: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def read(self, process: "subprocess.Popen[bytes]") -> None:
        for line in process.stdout or ():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("event") == "attempt ended":
                self.ends.append((time.perf_counter(), entry))

    def wait(self, count: int) -> list[tuple[float, dict[str, Any]]]:
        end = time.monotonic() + WAIT_SECONDS
        while len(self.ends) < count:
            if time.monotonic() > end:
                raise RuntimeError(f"the worker ended {len(self.ends)} of {count} jobs within {WAIT_SECONDS} s")
            time.sleep(0.005)
        return self.ends[:count]


def _overhead(client: Client, worker: Worker) -> list[dict[str, float]]:
    worker.ends.clear()
    totals = [_make(client) for _ in range(SINGLE)]
    found = []
    for total, (_, entry) in zip(totals, worker.wait(SINGLE), strict=True):
        phases = {phase: float(entry.get(f"{phase}_ms", 0.0)) for phase in PHASES}
        found.append({"total": total * 1000, **phases, "overhead": total * 1000 - phases["render"]})
    return found


def _throughput(client: Client, worker: Worker) -> float:
    """Pictures a second between the end of the first job and the end of the last."""
    worker.ends.clear()
    for number in range(WAITING):
        client.create({"prompt": PROMPT, "seed": number}, key=f"bench-{time.perf_counter_ns()}")
    ends = worker.wait(WAITING)
    return (len(ends) - 1) / (ends[-1][0] - ends[0][0])


def _plain(settings: Settings, count: int) -> float:
    """The same pictures by diffusers' pipeline in a loop, in a process of its own, loading not counted."""
    folder = settings.models_dir / "sdxl" / settings.default_model
    done = subprocess.run(
        [sys.executable, "-m", "bench.plain", str(folder), str(count), PROMPT],
        env={**os.environ, **environment_of(settings)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


def _make(client: Client) -> float:
    """Seconds from the POST to the event that the picture is there."""
    begun = time.perf_counter()
    made = client.create({"prompt": PROMPT, "seed": 1}, key=f"bench-{time.perf_counter_ns()}")
    for event in client.follow(made["id"]):
        if event["status"] == "failed":
            raise RuntimeError(str(event["error"]))
    return time.perf_counter() - begun


def _sign_in(client: Client) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if client.models():
                return
        except Exception:  # the services are still on their way
            time.sleep(0.1)
    raise RuntimeError("the services did not come up with a model")


@contextmanager
def _child(arguments: list[str], settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, **environment_of(settings), "PYTHONPATH": str(Path.cwd()), "PYTHONUNBUFFERED": "1"}
    if "gateway" in " ".join(arguments):
        environment["PINGVAS_LOG_LEVEL"] = "WARNING"
    child = spawn([sys.executable, *arguments], stdout=subprocess.PIPE, environment=environment)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(30)


@contextmanager
def _worker(settings: Settings) -> Iterator[Worker]:
    made = Worker()
    with _child(["-m", "gpu_worker"], settings) as process:
        reader = Thread(target=made.read, args=(process,), daemon=True)
        reader.start()
        yield made


def _print_overhead(found: list[dict[str, float]]) -> None:
    rows = []
    for name in ("total", *PHASES, "overhead"):
        values = sorted(one[name] for one in found)
        label = {"total": "POST to picture", "overhead": "overhead: all but the pipeline"}.get(name, f"  {name}")
        rows.append((label, f"{statistics.median(values):.1f}", f"{values[int(len(values) * 0.9)]:.1f}"))
    table(f"One job at a time, {SINGLE} jobs", ("what", "median ms", "p90 ms"), rows)


def _rounds(rates: list[float]) -> str:
    return " ".join(f"{rate:.2f}" for rate in rates)


if __name__ == "__main__":
    main()
