"""Finds a model in the models folder and loads it: one loader a base, each named once, here."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from PIL.Image import Image

from blueprint.worker import WORKER
from gpu_worker.models.errors import ModelUnavailableError
from gpu_worker.request import TextToImage
from services.kernel import catalogue

INDEX = "model_index.json"
OnStep = Callable[[int, Any], None]
"""Called after each denoising step with the number of steps done and a reference to the latents.

Whatever it raises ends the picture and reaches the caller of `render`.
"""


class Model(Protocol):
    """A loaded model."""

    name: str
    size_bytes: int
    """Memory that its weights take."""
    sampler: str
    """Class name of its scheduler."""

    def render(self, request: TextToImage, index: int, on_step: OnStep) -> Image:
        """Image `index` of a request: the same bytes for the same request, whatever else was rendered before.

        Raises:
            OutOfMemoryError: the device has no room for this picture.
            DeviceLostError: the process cannot render any more.
        """

    def preview(self, step: int, latents: Any, earlier: Any, side: int) -> Image | None:
        """What the picture will look like, cheaply, at most `side` pixels long; callable from another thread.

        `latents` are those after `step` steps of this picture, `earlier` those one step before them, or None.
        """

    def close(self) -> None:
        """Gives its memory back."""


class Load(Protocol):
    """Loads what `find` found."""

    def __call__(self, place: "Place", device: "Device") -> Model: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model lies, and the mark by which a replaced one is told from the old."""

    name: str
    base: str
    folder: Path
    mark: tuple[int, int, int]


class Device(Protocol):
    """What models are loaded onto; see `gpu_worker.models.device`."""

    memory_bytes: int
    """Memory that loaded models may take together."""

    def guard(self) -> AbstractContextManager[None]: ...
    def release(self) -> None: ...


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
