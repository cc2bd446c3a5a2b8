"""The models folder, read without torch: what lies in it, whether it is whole, and what it says of itself.

The folder is laid out as the EFS access point /models is: `<kind>/<name>/`, each a pipeline in diffusers' own layout
(`model_index.json` and a folder a component), with a `pingvas.json` of ours beside it where somebody wrote one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from blueprint.worker import WORKER
from services.kernel.checkpoints import FaultError, check_pipeline, read_json
from services.kernel.logs import get_logger

log = get_logger("catalogue")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.IGNORECASE)
METADATA = "pingvas.json"
RENDERED = ("sdxl",)
"""The kinds that the GPU worker has a loader for; the others are listed as what cannot be used yet."""

Fingerprint = tuple[tuple[str, int, int], ...]


def _split(value: object) -> object:
    """`"1024x768"` is as good as `[1024, 768]`."""
    return value.lower().split("x") if isinstance(value, str) else value


Side = Annotated[int, Field(ge=8, le=16384, multiple_of=8)]
Size = Annotated[tuple[Side, Side], BeforeValidator(_split)]


class ModelsFolderMissingError(OSError):
    """There is no models folder, or it cannot be read: not mounted, or another PINGVAS_MODELS_DIR is meant."""


class Metadata(BaseModel):
    """`pingvas.json`, or what is assumed of an SDXL checkpoint that has none. Sizes are [width, height] in pixels."""

    model_config = ConfigDict(extra="ignore")

    title: str = ""
    description: str = ""
    base: str = ""
    licence: str = "unknown"
    default_size: Size = (1024, 1024)
    native_sizes: list[Size] | None = None
    default_steps: int = Field(default=30, ge=1)
    default_guidance_scale: float = Field(default=7.0, ge=0, allow_inf_nan=False)
    max_size: Side = 2048
    vocabulary: list[str] | None = None
    examples: list[str] = []


@dataclass(frozen=True, slots=True)
class Entry:
    """One model as the catalogue shows it; `reason` says why it is not available, and is None where it is."""

    name: str
    kind: str
    reason: str | None
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def path(self) -> str:
        """Below the models folder."""
        return f"{self.kind}/{self.name}"

    @property
    def row(self) -> dict[str, Any]:
        """The columns of its row in `models`; `defaults` is all that accepting a request needs."""
        about = self.metadata
        width, height = about.default_size
        return {
            "name": self.name,
            "kind": self.kind,
            "base": about.base or self.kind,
            "path": self.path,
            "title": about.title or self.name,
            "description": about.description,
            "licence": about.licence,
            "available": self.reason is None,
            "defaults": {
                "width": width,
                "height": height,
                "steps": about.default_steps,
                "guidance_scale": about.default_guidance_scale,
                "native_sizes": [list(size) for size in about.native_sizes or [about.default_size]],
                "max_side": about.max_size,
                "vocabulary": about.vocabulary,
                "examples": about.examples,
                "reason": self.reason,
            },
        }


class Scanner:
    """Reads the folder again and again, and only those models again whose files have changed."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._known: dict[str, tuple[Fingerprint, Entry]] = {}

    def scan(self) -> list[Entry]:
        """Every model of the folder, whole or not, in the order of kinds and names.

        Raises:
            ModelsFolderMissingError: the folder itself is not there or cannot be read.
        """
        try:
            present = {place.name for place in self._models.iterdir()}
        except OSError as error:
            raise ModelsFolderMissingError(f"{self._models} is no folder that can be read: {error.strerror}") from error
        found: dict[str, tuple[Fingerprint, Entry]] = {}
        for kind in WORKER.model_kinds:
            for name in _names(self._models / kind) if kind in present else ():
                if name in found:
                    used = found[name][1].path
                    log.warning("two models have one name", name=name, used=used, ignored=f"{kind}/{name}")
                    continue
                found[name] = self._read(kind, name)
        self._known = found
        return [entry for _, entry in found.values()]

    def _read(self, kind: str, name: str) -> tuple[Fingerprint, Entry]:
        now = _fingerprint(self._models / kind / name)
        before = self._known.get(name)
        if now and before is not None and before[0] == now and before[1].kind == kind:
            return before
        return now, read(self._models, kind, name)


def read(models: Path, kind: str, name: str) -> Entry:
    """One model. Whatever is wrong with it is its `reason`; nothing is raised."""
    folder = models / kind / name
    metadata = Metadata()
    try:
        metadata = _metadata(folder)
        if kind not in RENDERED:
            raise FaultError(f"Models of the kind {kind} are not rendered yet")
        check_pipeline(folder)
    except FaultError as fault:
        return Entry(name, kind, str(fault), metadata)
    except OSError as error:
        return Entry(name, kind, f"{_below(folder, error.filename)} cannot be read: {error.strerror}", metadata)
    return Entry(name, kind, None, metadata)


def unknown_words(prompt: str, vocabulary: Sequence[str] | None) -> list[str]:
    """The words of a prompt that a model with a small vocabulary has never learned, in order, each once.

    >>> unknown_words("A red fox, a RED circle", ["a", "red", "circle"])
    ['fox']
    >>> unknown_words("anything", None)
    []
    """
    if vocabulary is None:
        return []
    known = {word.lower() for word in vocabulary}
    words = re.findall(r"[^\W\d_]+|\d", prompt.lower())
    return list(dict.fromkeys(word for word in words if word not in known))


def _fingerprint(folder: Path) -> Fingerprint:
    try:
        states = [(str(path.relative_to(folder)), path.stat()) for path in folder.rglob("*")]
    except OSError:
        return ()
    return tuple(sorted((path, state.st_size, state.st_mtime_ns) for path, state in states))


def _names(folder: Path) -> Iterator[str]:
    try:
        places = sorted(place.name for place in folder.iterdir() if place.is_dir())
    except OSError as error:
        log.warning("kind of models cannot be read", folder=str(folder), error=error.strerror)
        return
    for name in places:
        if NAME.fullmatch(name):
            yield name
        elif not name.startswith("."):
            log.warning("folder is no name for a model", folder=str(folder / name))


def _metadata(folder: Path) -> Metadata:
    path = folder / METADATA
    if not path.exists():
        return Metadata()
    try:
        return Metadata.model_validate(read_json(path, METADATA))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FaultError(f"{METADATA}: {where}: {first['msg']}") from error


def _below(folder: Path, filename: object) -> str:
    try:
        return str(Path(str(filename)).relative_to(folder))
    except ValueError:
        return "The folder"
