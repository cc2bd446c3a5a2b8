"""The one folder that holds everything the studio keeps on a machine.

<home>/postgres  valkey  images   the data
<home>/logs                       studio.log (services, worker and the studio itself), postgres.log, valkey.log
<home>/run                        the lock, ports.json, studio.json and children.json of the running studio
<home>/secrets.json               generated once, readable by its owner only
"""

import errno
import json
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blueprint.environments import ROLES
from studio.errors import SetupError

PROJECT = Path(__file__).resolve().parent.parent
VARIABLE = "PINGVAS_HOME"
_SECRETS = ("jwt", "valkey", "postgres", *ROLES)
FREE_BYTES = 64 * 1024**2
"""A disk with less than this counts as full."""
_FOLDERS = ("images", "logs", "run", "valkey")


@dataclass(frozen=True, slots=True)
class Home:
    """The data folder and the places in it."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def exists(self) -> bool:
        return (self.root / "secrets.json").exists()

    def prepare(self) -> "Home":
        """Makes the folders, readable by their owner only. Raises SetupError when that cannot be done."""
        try:
            # PostgreSQL refuses to run as root and runs as `nobody` then, who must be able to walk through.
            mode = 0o711 if os.geteuid() == 0 else 0o700
            self.root.mkdir(mode=mode, parents=True, exist_ok=True)
            if not any(self.root.iterdir()):
                self.root.chmod(mode)
            for name in _FOLDERS:
                (self.root / name).mkdir(mode=0o700, exist_ok=True)
            probe = self.run / f"probe-{os.getpid()}"
            probe.write_bytes(b"\0" * 65_536)
            probe.unlink()
        except OSError as error:
            raise trouble(self.root, error) from error
        free = shutil.disk_usage(self.root).free
        if free < FREE_BYTES:
            raise SetupError(
                f"The disk of the data folder {self.root} is full: {free // 1024**2} MB free, "
                f"{FREE_BYTES // 1024**2} MB needed.",
                advice=f"Free some space, or set {VARIABLE} to a folder on another disk.",
            )
        return self

    def delete(self) -> None:
        """Deletes the data, and the folder too if nothing else lies in it. Only when no studio runs here."""
        for name in ("postgres", "postgres.partial"):
            place = self.root / name
            if place.is_symlink():
                shutil.rmtree(place.resolve(), ignore_errors=True)
                place.unlink()
        for name in ("postgres", "postgres.partial", *_FOLDERS):
            shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root / "secrets.json").unlink(missing_ok=True)
        with suppress(OSError):
            self.root.rmdir()

    def secrets(self) -> dict[str, str]:
        """Every secret by name; those that are missing are generated and kept."""
        path = self.root / "secrets.json"
        known: dict[str, str] = read_json(path)
        missing = [name for name in _SECRETS if name not in known]
        if missing:
            # Letters and digits only: these stand in URLs and in configuration files.
            known |= {name: secrets.token_hex(32) for name in missing}
            write_json(path, known)
        return known


def find_home() -> Home:
    """PINGVAS_HOME, else `.data` in the project if that can be written, else the user's data folder."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Home(Path(chosen).expanduser().absolute())
    local = PROJECT / ".data"
    if os.access(local if local.exists() else PROJECT, os.W_OK | os.X_OK):
        return Home(local)
    import platformdirs

    return Home(Path(platformdirs.user_data_dir("pingvas-studio", appauthor=False)) / "data")


def trouble(path: Path, error: OSError) -> SetupError:
    """The SetupError for an OSError on the data folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SetupError(
            f"The disk of the data folder {path} is full ({error.strerror}).",
            advice=f"Free some space, or set {VARIABLE} to a folder on another disk.",
        )
    return SetupError(
        f"Cannot use the data folder {path}: {error.strerror or error}.",
        advice=f"Set {VARIABLE} to a folder that you own, for example {VARIABLE}=$HOME/pingvas-data.",
    )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty when there is no such file or it was cut short."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise trouble(path, error) from error
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replaces a file whole, readable by its owner only. Raises SetupError when it cannot be written."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise trouble(path, error) from error
