"""The whole studio as a process: up, said twice, looked at, killed, up again, down."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from blueprint.services import GATEWAY_PORT, SERVICES
from services.kernel.settings import Settings
from studio import background
from studio.console import Log
from studio.errors import Exit
from studio.home import PROJECT, Home, read_json
from studio.logfile import ENDED
from studio.processes import free_port
from studio.state import running
from tests.studio.conftest import eventually, studio


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(autouse=True)
def end(home: Home) -> Iterator[None]:
    yield
    studio("down", home=home.root)


def start(home: Home, port: int) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PINGVAS_HOME": str(home.root), "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-P", "-m", "studio", "up", "--no-worker", "--port", str(port)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
    )


def read_until(process: "subprocess.Popen[str]", pattern: str) -> str:
    text = ""
    assert process.stdout is not None
    for line in process.stdout:
        text += line
        if re.search(pattern, line):
            return text
    raise AssertionError(f"it ended before it said {pattern!r}:\n{text}")


def children(home: Home) -> list[psutil.Process]:
    found = []
    for child in read_json(home.run / "children.json").values():
        process = psutil.Process(child["pid"])
        found += [process, *process.children(recursive=True)]
    return found


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def test_up_is_ready_says_so_and_ends_at_ctrl_c(home: Home, port: int) -> None:
    with start(home, port) as process:
        text = read_until(process, r"Studio ready at")
        assert re.search(rf"Studio ready at http://127.0.0.1:{port} \(\d+\.\d s\)", text)
        living = children(home)
        assert len(living) > 5

        second = studio("up", "--port", str(free_port()), home=home.root)
        assert second.returncode == Exit.BUSY
        assert f"already running at http://127.0.0.1:{port} (pid {process.pid})" in second.stderr

        status = json.loads(studio("status", "--json", home=home.root).stdout)
        assert status["running"]
        assert status["pid"] == process.pid
        states = {part["name"]: part["state"] for part in status["parts"]}
        assert states["postgres"] == states["valkey"] == states["user-service"] == "ok"

        migrated = studio("migrate", home=home.root)
        assert migrated.stdout == "The schema local_pingvas is up to date.\n"

        process.send_signal(signal.SIGINT)
        assert process.wait(30) == Exit.OK
        assert process.stdout is not None
        assert "ended (" in process.stdout.read()
    assert eventually(lambda: all_gone(living))
    assert running(home) is None
    assert read_json(home.run / "children.json") == {}
    assert "Studio ready" in studio("logs", "studio", home=home.root).stdout


def test_a_killed_studio_takes_its_children_along_and_comes_back(home: Home, port: int) -> None:
    with start(home, port) as process:
        read_until(process, "Studio ready at")
        account = {"email": "someone@example.com"}
        first = httpx.post(f"http://127.0.0.1:{port}/api/v1/auth/local", json=account).json()
        living = children(home)
        process.kill()
    assert eventually(lambda: all_gone(living), 20)
    assert studio("status", home=home.root).returncode == Exit.NOT_RUNNING

    done = studio("up", "--detach", "--no-worker", "--port", str(port), home=home.root)
    assert done.returncode == Exit.OK, done
    assert f"Studio ready at http://127.0.0.1:{port}" in done.stdout
    again = httpx.post(f"http://127.0.0.1:{port}/api/v1/auth/local", json=account).json()
    assert again["user"]["id"] == first["user"]["id"]
    me = httpx.get(f"http://127.0.0.1:{port}/api/v1/me", headers={"Authorization": f"Bearer {first['access_token']}"})
    assert me.status_code == 200

    living = children(home)
    down = studio("down", home=home.root)
    assert down.stdout == f"Ended the studio at http://127.0.0.1:{port}.\n"
    assert all_gone(living)


def test_the_second_of_two_that_need_a_studio_waits_for_the_first(home: Home, port: int) -> None:
    with start(home, port) as process:
        assert eventually(lambda: running(home) is not None, 30)
        state = background.join(home)
        assert (state.pid, state.ready, state.url) == (process.pid, True, f"http://127.0.0.1:{port}")

        account = {"email": "local@pingvas.studio"}
        with httpx.Client(base_url=state.url, timeout=30) as http:
            token = http.post("/api/v1/auth/local", json=account).json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"
            made = http.post("/api/v1/generations", json={"prompt": "a red circle"}).json()
            with http.stream("GET", f"/api/v1/generations/{made['id']}/events") as stream:
                lines = stream.iter_lines()
                assert next(lines)
                began = time.monotonic()
                process.send_signal(signal.SIGTERM)
                for _ in lines:
                    pass
                assert time.monotonic() - began < 5, "an open stream held the services' end"
        assert process.wait(20) == Exit.OK


def test_why_a_studio_ended_is_found_afterwards(home: Home) -> None:
    assert background.why_ended(home) == ""
    log = Log(home.logs / "studio.log")
    log.keep("studio", f"{ENDED}valkey does not come back: no file")
    log.say("ending")
    log.close()
    assert background.why_ended(home) == "valkey does not come back: no file"
    full = shutil.disk_usage(home.root)._replace(free=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: full)
        assert "is full (0 MB free)" in background.why_ended(home)


def test_no_studio_takes_a_service_s_own_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "port_free", lambda port: port != GATEWAY_PORT)
    assert background.choose_port() not in {GATEWAY_PORT, *(service.port for service in SERVICES.values())}


def test_a_service_that_dies_comes_back_while_the_studio_goes_on(home: Home, port: int) -> None:
    done = studio("up", "--detach", "--no-worker", "--port", str(port), home=home.root)
    assert done.returncode == Exit.OK, done
    os.kill(read_json(home.run / "children.json")["services"]["pid"], signal.SIGKILL)
    os.kill(read_json(home.run / "children.json")["valkey"]["pid"], signal.SIGKILL)

    def back() -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).json()
        except httpx.HTTPError:
            return False
        return bool(answer["services"]["generation"]["status"] == "ok")

    assert eventually(back, 30)
    log = studio("logs", "studio", home=home.root).stdout
    assert "services was killed by SIGKILL" in log
    assert "valkey was killed by SIGKILL" in log


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PINGVAS_LOG_LEVEL", "LOUD"),
        ("PINGVAS_ENV", "dev"),
        ("PINGVAS_REDIS_URL", "redis://127.0.0.1:1/0"),
        ("PINGVAS_STORAGE_URL", "s3://"),
    ],
)
def test_background_start_passes_the_reason_on(home: Home, port: int, variable: str, value: str) -> None:
    done = studio("up", "--detach", "--port", str(port), home=home.root, **{variable: value})
    assert done.returncode == Exit.SETUP
    assert variable in done.stderr
    assert "unexpected" not in done.stderr
    assert running(home) is None


def test_servers_of_one_s_own_are_used_and_none_is_started(home: Home, port: int, settings: Settings) -> None:
    given = {
        "PINGVAS_DATABASE_URL": settings.require("database_url"),
        "PINGVAS_DATABASE_WORKER_URL": settings.require("database_worker_url"),
        "PINGVAS_DATABASE_OWNER_URL": settings.require("database_owner_url"),
        "PINGVAS_REDIS_URL": settings.redis_url,
    }
    variables = {name: value.get_secret_value() for name, value in given.items()}
    done = studio("up", "--detach", "--no-worker", "--port", str(port), home=home.root, **variables)
    assert done.returncode == Exit.OK, done
    assert list(read_json(home.run / "children.json")) == ["services"]
    status = json.loads(studio("status", "--json", home=home.root, **variables).stdout)
    details = {part["name"]: part["detail"] for part in status["parts"]}
    assert details["postgres"].startswith("yours")
    assert details["valkey"].startswith("yours")
    assert details["valkey"].endswith(variables["PINGVAS_REDIS_URL"].rpartition("@")[2].partition("/")[0])
