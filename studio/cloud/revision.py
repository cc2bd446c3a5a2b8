"""A Git revision of this project as files in a temporary folder; the checkout itself is not touched."""

import io
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.errors import UsageError
from studio.home import PROJECT


@contextmanager
def files_of(revision: str, *paths: str, project: Path = PROJECT) -> Iterator[Path]:
    """The project, or some paths of it, as a branch, tag or commit has them; paths that it lacks are not there.

    Raises:
        UsageError: there is no such revision, or no Git here.
    """
    commit = git(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit.returncode:
        raise UsageError(
            f"There is no revision {revision!r} here.", advice="A branch, a tag or a commit of this project."
        )
    name = commit.stdout.decode().strip()
    prefix = git(project, "rev-parse", "--show-prefix").stdout.decode().strip()
    archive = git(project, "archive", "--format=zip", f"{name}:{prefix}", *paths)
    with tempfile.TemporaryDirectory(prefix="pingvas-revision-") as folder:
        if not archive.returncode:
            zipfile.ZipFile(io.BytesIO(archive.stdout)).extractall(folder)
        yield Path(folder)


def git(project: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Git's answer in a project, whatever it is.

    Raises:
        UsageError: there is no Git here.
    """
    try:
        return subprocess.run(["git", *arguments], cwd=project, capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError("Git is not installed, and this asks it for files of the project.") from None
