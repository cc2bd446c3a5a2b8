"""What tests of the bootstrap share beside their fixtures."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from studio.cloud.bootstrap.run import Bootstrap

TOKEN = "github_pat_of_nobody_000000"
Make = Callable[..., Bootstrap]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.com")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)


def state(bootstrap: Bootstrap) -> dict[str, str]:
    return {one.check: one.state for one in bootstrap.look()}
