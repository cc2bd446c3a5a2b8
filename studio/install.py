"""Makes the virtual environment and installs requirements.txt into it: `install.py VENV REQUIREMENTS STAMP`.

Runs before anything is installed, so it uses the standard library alone. Safe to interrupt at any point and
to run twice at once: a kernel lock that dies with its holder serialises runs, and the stamp is written last.
Exits with 0, 5 (set-up trouble) or 130 (interrupted).
"""

import errno
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

SETUP_TROUBLE = 5
INTERRUPTED = 130
STAMP = "pingvas.stamp"
LOG = "pingvas-install.log"
NEEDED_BYTES = 2 * 1024**3
_STEP = re.compile(r"^(Collecting|Installing collected packages:)\s*([\w.-]*)")


class InstallError(Exception):
    """Set-up cannot go on; the message says what to do."""


class Progress:
    """One line that is rewritten on a terminal, and a new line now and then where there is none."""

    def __init__(self, stream: TextIO, since: float | None = None) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._started = time.monotonic() if since is None else since
        self._quiet_until = 0.0
        self.text = ""

    def show(self, text: str, *, always: bool = False) -> None:
        self.text = text
        elapsed = int(time.monotonic() - self._started)
        line = f"  {elapsed // 60}:{elapsed % 60:02d}  {text}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._write("\r\x1b[2K" + line[:width])
        elif always or time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + 15
            self._write(line + "\n")

    def end(self) -> None:
        if self._live:
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


@contextmanager
def only_one(target: Path, progress: Progress) -> Iterator[None]:
    """Holds the lock of the folder that `target` lies in; the kernel lets go of it however its holder ends."""
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.show("another start is installing already; waiting for it", always=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            # Some network file systems lock no folders; two first starts at once are rarer than those.
            pass
        yield
    finally:
        os.close(handle)


def make_environment(target: Path) -> Path:
    """The environment's interpreter, made anew unless it is there and has pip."""
    python = target / "bin" / "python"
    if python.exists():
        usable = subprocess.run([python, "-I", "-m", "pip", "--version"], capture_output=True, check=False)
        if usable.returncode == 0:
            return python
    # The exact interpreter, not a name that a system upgrade may point at another version.
    base = Path(os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
    done = subprocess.run([base, "-I", "-m", "venv", "--clear", target], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallError(
            f"cannot make a virtual environment in {target}:\n{(done.stderr or done.stdout).strip()}\n"
            "On Debian or Ubuntu: apt install python3-venv. Otherwise set PINGVAS_VENV to a folder you own."
        )
    return python


def install(python: Path, requirements: Path, target: Path, progress: Progress) -> None:
    """pip, its output to a file and its course to one line. Raises InstallError with pip's own reason."""
    # Large wheels unpack here instead of in /tmp, which is often a small memory file system.
    scratch = target / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    command: list[str | Path] = [
        python,
        "-I",
        "-m",
        "pip",
        "install",
        "--progress-bar",
        "off",
        "--no-input",
        "--no-compile",
    ]
    command += ["--disable-pip-version-check", "--prefer-binary", "-r", requirements]
    log = target / LOG
    try:
        with log.open("w", encoding="utf-8") as record:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, "TMPDIR": str(scratch), "PIP_ROOT_USER_ACTION": "ignore"},
            )
            try:
                code = _follow(process, record, scratch, progress)
            except BaseException:
                process.kill()
                process.wait()
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if code != 0:
        raise InstallError(_reason(log))


def _follow(process: subprocess.Popen[str], record: TextIO, scratch: Path, progress: Progress) -> int:
    done = threading.Event()
    fetched = 0

    def tick() -> None:
        while not done.wait(1):
            size = _megabytes(scratch)
            progress.show(progress.text.split(" … ")[0] + (f" … {size} MB" if size else ""))

    clock = threading.Thread(target=tick, daemon=True)
    progress.show("asking the package index", always=True)
    clock.start()
    try:
        for line in process.stdout or ():
            record.write(line)
            step = _STEP.match(line)
            if step is None:
                continue
            word, name = step.groups()
            if word == "Collecting":
                fetched += 1
                progress.show(f"package {fetched}: {name}")
            elif word.startswith("Installing"):
                progress.show(f"unpacking {line.count(',') + 1} packages (the longest part)", always=True)
        return process.wait()
    finally:
        done.set()
        clock.join()
        if process.stdout:
            process.stdout.close()


def _megabytes(folder: Path) -> int:
    """What pip has fetched so far; its folders come and go meanwhile, which `os.walk` takes as it is."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except OSError:
                continue
    return total // 1_000_000


def _reason(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-3:]
    text = "\n".join(errors[-4:])
    if "No space left" in text or "Errno 28" in text:
        advice = "The disk is full: free about 2 GB (6 GB with a CUDA build of torch), or set PINGVAS_VENV."
    elif "No matching distribution" in text:
        advice = "The package index cannot be reached or has no build for this Python or system."
    else:
        advice = "Check the network, then run the same command again: it goes on where it stopped."
    return f"installing failed:\n{text}\n{advice}\nThe whole record: {log}"


def stamped(target: Path, stamp: str) -> bool:
    try:
        return (target / STAMP).read_text(encoding="utf-8").strip() == stamp
    except OSError:
        return False


def main(target: Path, requirements: Path, stamp: str) -> int:
    progress = Progress(sys.stderr)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with only_one(target, progress):
            if stamped(target, stamp):
                return 0
            sys.stderr.write(f"Setting up Pingvas Studio in {target} (once; a few minutes)\n")
            progress.show("making the virtual environment", always=True)
            (target / STAMP).unlink(missing_ok=True)
            python = make_environment(target)
            install(python, requirements, target, progress)
            partial = target / f"{STAMP}.new"
            partial.write_text(stamp + "\n", encoding="utf-8")
            partial.replace(target / STAMP)
            progress.show("set-up done", always=True)
            progress.end()
    except KeyboardInterrupt:
        progress.end()
        sys.stderr.write("pingvas: set-up interrupted; the next start goes on with it.\n")
        return INTERRUPTED
    except InstallError as error:
        progress.end()
        sys.stderr.write(f"pingvas: {error}\n")
        return SETUP_TROUBLE
    except OSError as error:
        progress.end()
        advice = "free some space" if error.errno == errno.ENOSPC else "or make that folder writable"
        sys.stderr.write(
            f"pingvas: cannot set up in {target}: {error}\nSet PINGVAS_VENV to another folder, {advice}.\n"
        )
        return SETUP_TROUBLE
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
