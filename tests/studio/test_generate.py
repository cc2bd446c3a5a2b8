"""A prompt in, a picture out, from the command line: with a worker, a tiny SDXL and nothing started before."""

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from studio.errors import Exit
from studio.home import PROJECT, Home
from studio.processes import free_port, port_free
from studio.state import running
from tests.studio.conftest import eventually, interruptible, studio

pytestmark = pytest.mark.model
MODEL = "pingvas-starter"
METADATA = {"default_size": [64, 64], "native_sizes": [[64, 64], [128, 64]], "default_steps": 4}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.gpu_worker.tiny import build

    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what diffusers and transformers say to each other
        build(folder / "sdxl" / MODEL)
    (folder / "sdxl" / MODEL / "pingvas.json").write_text(json.dumps(METADATA))
    return folder


@pytest.fixture(scope="module")
def studio_home(place: Path, models: Path) -> Iterator[Home]:
    home = Home(place / "generate")
    yield home
    studio("down", home=home.root)


def generate(home: Home, models: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return studio("generate", *arguments, home=home.root, timeout=170, PINGVAS_MODELS_DIR=str(models))


def test_the_first_call_starts_a_studio_and_says_so(studio_home: Home, models: Path, tmp_path: Path) -> None:
    done = generate(studio_home, models, "a red circle", "-o", str(tmp_path / "out.png"), "--seed", "7")
    assert done.returncode == Exit.OK, done
    assert done.stdout == f"{tmp_path / 'out.png'}  seed 7\n"
    assert "starting one in the background. `./pingvas down` ends it" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (64, 64)
        assert "parameters" in picture.info
    again = generate(studio_home, models, "a red circle", "-o", str(tmp_path / "again.png"), "--seed", "7")
    assert "starting" not in again.stderr
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()


def test_several_pictures_get_a_file_each(studio_home: Home, models: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "out.png")
    done = generate(
        studio_home, models, "a star", "-o", output, "--n", "2", "--size", "128x64", "--seed", "3", "--json"
    )
    assert done.returncode == Exit.OK, done
    told = json.loads(done.stdout)
    assert told["status"] == "succeeded"
    assert told["files"] == [str(tmp_path / "out-1.png"), str(tmp_path / "out-2.png")]
    for path in told["files"]:
        with Image.open(path) as picture:
            assert picture.size == (128, 64)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("",), "prompt"),
        (("x" * 10_000,), "prompt"),
        (("x", "--size", "99x64"), "width"),
        (("x", "--size", "8000"), "at most"),
        (("x", "--steps", "0"), "steps"),
        (("x", "--steps", "1000"), "steps"),
        (("x", "--seed", "-1"), "seed"),
        (("x", "--n", "99"), "n:"),
        (("x", "--model", "nothing"), "nothing"),
    ],
)
def test_what_is_refused_is_one_message(studio_home: Home, models: Path, arguments: tuple[str, ...], word: str) -> None:
    done = generate(studio_home, models, *arguments)
    assert done.returncode == Exit.USAGE, done
    assert done.stderr.startswith("pingvas: ") or "Studio ready" in done.stderr
    assert word in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_ctrl_c_cancels_the_job(studio_home: Home, models: Path, tmp_path: Path) -> None:
    generate(studio_home, models, "a warm start", "-o", str(tmp_path / "warm.png"))
    environment = {**os.environ, "PINGVAS_HOME": str(studio_home.root), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-P", "-m", "studio", "generate", "a circle", "--steps", "100", "--n", "8"]
    with subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=interruptible,  # noqa: PLW1509
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == Exit.INTERRUPTED
        assert "nothing is charged" in process.stderr.read()
    state = running(studio_home)
    assert state is not None
    login = httpx.post(f"{state.url}/api/v1/auth/local", json={"email": "local@pingvas.studio"}).json()
    headers = {"Authorization": f"Bearer {login['access_token']}"}

    def canceled() -> bool:
        newest = httpx.get(f"{state.url}/api/v1/generations?limit=1", headers=headers).json()["items"][0]
        return bool(newest["status"] == "canceled")

    assert eventually(canceled, 20)
    assert httpx.get(f"{state.url}/api/v1/credits", headers=headers).json()["held"] == 0


@pytest.mark.slow
def test_a_studio_that_is_killed_meanwhile_is_named(studio_home: Home, tmp_path: Path) -> None:
    # Without a worker the job waits, so that it cannot end first.
    assert studio("down", home=studio_home.root).returncode == Exit.OK
    done = studio("up", "--detach", "--no-worker", "--port", str(free_port()), home=studio_home.root)
    assert done.returncode == Exit.OK, done
    state = running(studio_home)
    assert state is not None
    environment = {**os.environ, "PINGVAS_HOME": str(studio_home.root), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-P", "-m", "studio", "generate", "a circle", "--steps", "100", "--n", "8"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        process.stderr.readline()
        os.kill(state.pid, signal.SIGKILL)
        assert process.wait(60) == Exit.NOT_RUNNING
        assert "goes on at the next start" in process.stderr.read()
    assert eventually(lambda: port_free(int(state.url.rsplit(":", 1)[1])), 30)
