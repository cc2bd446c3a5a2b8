"""The emulator as a process of its own: its start, its end, and the environment in which AWS's clients speak to it."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blueprint.regions import DEFAULT_REGION
from studio.errors import SetupError
from studio.home import PROJECT
from studio.processes import LOOPBACK, free_port, spawn, stop, tail

ACCOUNT = "123456789012"
"""The emulator's account, which is nobody's."""
START_SECONDS = 30


class Emulator:
    """The child process and what happened in it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.ledger = folder / "ledger.jsonl"
        self.log = folder / "emulator.log"
        self.url = f"http://{LOOPBACK}:{self.port}"

    @contextmanager
    def running(self) -> Iterator["Emulator"]:
        """Starts it and ends it; it ends with this process in any case.

        Raises:
            SetupError: it does not answer.
        """
        command = [sys.executable, "-P", "-m", "studio.cloud.rehearse.emulator", str(self.port), str(self.ledger)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore"}
        with self.log.open("wb") as log:
            process = spawn(command, stdout=log, environment=environment, folder=PROJECT)
            try:
                self._answers(process)
                yield self
            finally:
                stop(process, signal.SIGTERM, 5)

    def _answers(self, process: "subprocess.Popen[bytes]") -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/moto-api/", timeout=1):  # noqa: S310 (our own address)
                    return
            except OSError:
                time.sleep(0.1)
        raise SetupError(f"The emulator did not start:\n{tail(self.log)}", advice=f"Its log: {self.log}")

    @property
    def environment(self) -> dict[str, str]:
        """Under which the CDK command line and its asset publisher speak to it, and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3_FOR_CLOUDFORMATION": "https://s3.us-east-1.amazonaws.com",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            "AWS_REGION": DEFAULT_REGION,
            "AWS_DEFAULT_REGION": DEFAULT_REGION,
            "AWS_PROFILE": "",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_VALIDATION": "false",
            "CI": "true",
        }
