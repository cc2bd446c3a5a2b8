"""One attempt at a job: model, pictures, objects. It changes no row; `gpu_worker.runner` does."""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from blueprint.jobs import JOBS
from gpu_worker import png
from gpu_worker.heartbeat import Heartbeat, Watch
from gpu_worker.models.cache import ModelCache
from gpu_worker.presence import Presence
from gpu_worker.request import TextToImage
from services.kernel.ids import new_id
from services.kernel.jobs import Job
from services.kernel.logs import get_logger
from services.kernel.storage import Storage, StorageUnavailableError

log = get_logger("attempt")
PNG, WEBP = "image/png", "image/webp"
Picture = dict[str, Any]
"""A row of `images`."""


class Timing:
    """Milliseconds by the name of what took them."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0) + (time.perf_counter() - begun) * 1000

    @property
    def fields(self) -> dict[str, float]:
        return {f"{name}_ms": round(spent, 2) for name, spent in self.spent.items()}


class Attempt:
    """Renders, encodes and uploads the pictures of a claimed job."""

    def __init__(
        self, job: Job, *, models: ModelCache, storage: Storage, uploads: Executor, presence: Presence
    ) -> None:
        self.job = job
        self.request = TextToImage.of(job.request)
        self.timing = Timing()
        self._models = models
        self._storage = storage
        self._uploads = uploads
        self._presence = presence
        self._objects: list[str] = []

    def make(self, heartbeat: Heartbeat, watch: Watch) -> list[Picture]:
        """Returns the rows of what is uploaded.

        Raises:
            StoppedError: the job was canceled, lost or is to be handed back.
            ModelError: see `gpu_worker.models.errors`.
            StorageUnavailableError: the objects could not be written.
        """
        pictures = []
        for index, (image, sampler) in enumerate(self._render(heartbeat, watch)):
            with self.timing.of("encode"):
                about = png.parameters(self.request, index, sampler)
                data = png.encode(image, about)
                small = png.thumbnail(image, JOBS.thumbnail_side)
            with self.timing.of("upload"):
                pictures.append(self._keep(index, image.size, about, data, small))
            watch.check()
        return pictures

    def drop(self) -> None:
        """Deletes what was uploaded; what cannot be deleted now the reaper finds later."""
        try:
            self._storage.delete(self._objects)
        except StorageUnavailableError as error:
            log.warning("objects left behind", folder=self.job.folder, error=error.detail)

    def _render(self, heartbeat: Heartbeat, watch: Watch) -> Iterator[tuple[Any, str]]:
        request = self.request
        begun = time.perf_counter()
        with self._models.use(request.model) as model:
            self.timing.spent["load"] = (time.perf_counter() - begun) * 1000
            heartbeat.look = model.preview
            watch.check()
            for index in range(request.n):
                before = index * request.steps

                def on_step(step: int, latents: Any, before: int = before) -> None:
                    self._presence.busy()
                    watch.on_step(before + step, step, latents)

                with self.timing.of("render"):
                    image = model.render(request, index, on_step)
                yield image, model.sampler

    def _keep(self, index: int, size: tuple[int, int], about: Picture, data: bytes, small: bytes) -> Picture:
        key, thumbnail_key = f"{self.job.folder}{index}.png", f"{self.job.folder}{index}.webp"
        self._objects += [key, thumbnail_key]
        thumbnail = self._uploads.submit(self._storage.put, thumbnail_key, small, WEBP)
        try:
            self._storage.put(key, data, PNG)
        finally:
            # Waited for in any case: what is dropped must not be written afterwards.
            thumbnail.exception()
        thumbnail.result()
        return {
            "id": new_id(),
            "user_id": self.job.user_id,
            "generation_id": self.job.id,
            "position": index,
            "object_key": key,
            "thumbnail_key": thumbnail_key,
            "width": size[0],
            "height": size[1],
            "bytes": len(data),
            "sha256": hashlib.sha256(data).digest(),
            "seed": about["seed"],
            "parameters": about,
        }
