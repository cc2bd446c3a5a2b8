"""Finds a model in the models folder and loads it: one loader a base, each named once, here."""

import threading
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from blueprint.worker import WORKER
from gpu_worker.models.errors import ModelUnavailableError
from gpu_worker.models.model import Device, Model, Place
from services.kernel import catalogue

INDEX = "model_index.json"


class Load(Protocol):
    """Loads what `find` found."""

    def __call__(self, place: Place, device: Device) -> Model: ...


def find(models: Path, name: str) -> Place:
    """Finds a model by name in the folders of all kinds, the first kind first.

    Raises:
        ModelUnavailableError: there is none.
    """
    if catalogue.NAME.fullmatch(name):
        for kind in WORKER.model_kinds:
            folder = models / kind / name
            try:
                about = (folder / INDEX).stat()
            except (FileNotFoundError, NotADirectoryError):
                if folder.is_dir():
                    return Place(name, kind, folder, (0, 0, 0))
                continue
            return Place(name, kind, folder, (about.st_ino, about.st_mtime_ns, about.st_size))
    raise ModelUnavailableError(name, "it is not in the models folder")


def load(models: Path, place: Place, device: Device) -> Model:
    """Checks a model's files and loads it.

    Raises:
        ModelUnavailableError: files are missing or damaged, or nothing here renders its base.
        OutOfMemoryError: it does not fit.
    """
    entry = catalogue.read(models, place.base, place.name)
    if entry.reason is not None:
        raise ModelUnavailableError(place.name, entry.reason.rstrip("."))
    loader = LOADERS.get(place.base)
    if loader is None:
        raise ModelUnavailableError(place.name, f"models of the kind {place.base} are not rendered yet")
    return loader(place, device)


def _sdxl(place: Place, device: Device) -> Model:
    from gpu_worker.models.sdxl import load_sdxl

    return load_sdxl(place, device)


LOADERS: MappingProxyType[str, Load] = MappingProxyType({"sdxl": _sdxl})
LOADING = threading.Lock()
"""Held while a model is loaded: two at once would need the memory of both before either fits the budget."""
