"""What a loaded model, its place and its device are to one another; loaders and the cache build on this."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL.Image import Image

from gpu_worker.request import TextToImage

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
