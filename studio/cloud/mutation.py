"""Breaks the platform on purpose, one documented way after another, and sees whether the tests notice.

`mutations.toml` beside each layer's tests has the ways. Each is tried in a copy of the working tree: nothing here
changes.
"""

import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.cloud.revision import git
from studio.errors import StudioError, UsageError
from studio.home import PROJECT

CATALOGUES = (Path("tests/stacks/mutations.toml"), Path("tests/k8s_charts/mutations.toml"))
TESTS = ("tests/stacks", "tests/k8s_charts", "tests/blueprint")
SNAPSHOTS = ("tests/stacks/test_snapshots.py", "tests/k8s_charts/test_golden.py")
PROCESSES = 2
TIMEOUT = 300
WHOLE_TIMEOUT = 1800
"""Seconds for all files that the mutations name, as the code stands; two processes share them."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to break the platform: in `file`, `find` (which stands there once) becomes `replace`.

    `promise` is what would no longer hold; `tests` is the file that is expected to notice.
    """

    name: str
    promise: str
    file: str
    find: str
    replace: str
    tests: str

    def apply(self, root: Path) -> None:
        """Raises StudioError where the text to break is not there exactly once."""
        path = root / self.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if text.count(self.find) != 1:
            raise StudioError(
                f"mutation {self.name}: {self.find!r} stands {text.count(self.find)} times in {self.file}, not once.",
                advice="The code has moved on; mend its catalogue.",
            )
        path.write_text(text.replace(self.find, self.replace), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutation; `by` is the first test that failed."""

    mutation: Mutation
    outcome: Literal["caught", "survived"]
    by: str
    seconds: float


def catalogue(root: Path = PROJECT) -> tuple[Mutation, ...]:
    """Every mutation, in the order of the files."""
    files = [root / path for path in CATALOGUES if (root / path).is_file()]
    return tuple(
        Mutation(name=name, **entry)
        for file in files
        for name, entry in tomllib.loads(file.read_text(encoding="utf-8")).items()
    )


def chosen(names: Sequence[str], root: Path = PROJECT) -> tuple[Mutation, ...]:
    """The named mutations, or all.

    Raises:
        UsageError: a name is in no catalogue.
    """
    every = {mutation.name: mutation for mutation in catalogue(root)}
    if strange := [name for name in names if name not in every]:
        raise UsageError(f"{', '.join(strange)}: no such mutation.", advice="`./pingvas mutate --list` names them.")
    return tuple(every[name] for name in names) if names else tuple(every.values())


def run(mutations: Sequence[Mutation], report: Callable[[Verdict], None], root: Path = PROJECT) -> list[Verdict]:
    """Tries each and reports it when it is done.

    Raises:
        StudioError: the tests fail without any mutation, or a mutation does not fit the code.
    """
    with _copy(root) as clean:
        for mutation in mutations:
            mutation.apply(clean)  # all must fit before minutes are spent
            shutil.copy(root / mutation.file, clean / mutation.file)
        files = sorted({mutation.tests for mutation in mutations})
        if (first := _first_failure(clean, files, whole=True)) is not None:
            raise StudioError(f"the tests fail as the code stands, at {first}.", advice="Mend that first.")

    def attempt(mutation: Mutation) -> Verdict:
        began = time.monotonic()
        with _copy(root) as broken:
            mutation.apply(broken)
            first = _first_failure(broken, [mutation.tests]) or _first_failure(broken, _there(broken), whole=True)
        outcome: Literal["caught", "survived"] = "survived" if first is None else "caught"
        verdict = Verdict(mutation, outcome, first or "", time.monotonic() - began)
        report(verdict)
        return verdict

    with ThreadPoolExecutor(PROCESSES) as threads:
        return list(threads.map(attempt, mutations))


def _there(root: Path) -> list[str]:
    return [tests for tests in TESTS if (root / tests).is_dir()]


def _first_failure(root: Path, tests: Sequence[str], *, whole: bool = False) -> str | None:
    """The first test that fails there. Snapshots are left out: they notice every change, and understand none."""
    command = [sys.executable, "-P", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["-n", str(PROCESSES), "--dist", "loadscope"] if whole else ["-p", "no:xdist"]
    command += ["-m", "not slow", "--no-header", "--tb=no", "-rfE", *(f"--ignore={file}" for file in SNAPSHOTS), *tests]
    timeout = WHOLE_TIMEOUT if whole else TIMEOUT
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=timeout)
    if done.returncode == 0:
        return None
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" ", 2)[1].removeprefix("tests/")
    raise StudioError(f"pytest ended with {done.returncode} and named no test:\n{(done.stdout + done.stderr)[-800:]}")


@contextmanager
def _copy(root: Path) -> Iterator[Path]:
    """The files that git knows of, as they stand in the working tree.

    Raises:
        UsageError: the project is no checkout, or there is no Git here.
    """
    done = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if done.returncode:
        raise UsageError(f"{root} is no Git checkout, and Git has to say which files belong to it.")
    with tempfile.TemporaryDirectory(prefix="pingvas-mutation-") as folder:
        for name in filter(None, done.stdout.decode().split("\0")):
            if name.startswith(("models/", "docs/images/")) or not (root / name).is_file():
                continue
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, target)
        yield Path(folder)
