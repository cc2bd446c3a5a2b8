"""Loaded models, kept while the memory budget lasts; what was used longest ago goes first.

    with cache.use("pingvas-starter") as model:
        picture = model.render(request, 0, on_step)

A model is locked from entry to exit: pipelines keep state between steps, so one thread at a time runs one, and a
model in use is never evicted.

Lock order: `loader.LOADING`, then `_Kept.lock` of one model, then `_lock`; `_lock` is never held while anything is
loaded, rendered or waited for.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gpu_worker.models import loader
from gpu_worker.models.model import Device, Model, Place
from services.kernel.logs import get_logger

log = get_logger("models")
Load = Callable[[Path, Place, Device], Model]


@dataclass(slots=True)
class _Kept:
    place: Place
    model: Model
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0


class ModelCache:
    """The models of one device."""

    def __init__(self, models: Path, device: Device, *, load: Load = loader.load) -> None:
        self._models = models
        self._device = device
        self._load = load
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    @property
    def names(self) -> list[str]:
        """What is loaded, the longest unused first."""
        with self._lock:
            return list(self._kept)

    @contextmanager
    def use(self, name: str) -> Iterator[Model]:
        """Loads a model if it is not loaded, or has been replaced on disk, and holds it for the block.

        Raises:
            ModelUnavailableError, OutOfMemoryError, DeviceLostError: see `loader.load` and `Model.render`.
        """
        kept = self._take(name)
        try:
            with kept.lock, self._device.guard():
                yield kept.model
        finally:
            with self._lock:
                kept.users -= 1

    def shrink(self, room: int | None = None) -> int:
        """Evicts unused models: until `room` bytes are free in the budget, or all of them. Returns how many went."""
        gone: list[_Kept] = []
        with self._lock:
            for name, kept in list(self._kept.items()):
                held = sum(each.model.size_bytes for each in self._kept.values())
                if room is not None and held + room <= self._device.memory_bytes:
                    break
                if not kept.users:
                    gone.append(self._kept.pop(name))
        for kept in gone:
            log.info("model evicted", model=kept.place.name)
            kept.model.close()
        self._device.release()
        return len(gone)

    def _take(self, name: str) -> _Kept:
        place = loader.find(self._models, name)
        kept = self._reserve(place)
        if kept is not None:
            return kept
        with loader.LOADING:
            kept = self._reserve(place)
            if kept is not None:
                return kept
            with self._lock:
                stale = self._kept.get(name)
                if stale is not None and not stale.users:
                    del self._kept[name]
                    stale.model.close()
            size = sum(file.stat().st_size for file in place.folder.glob("*/*.safetensors"))
            self.shrink(room=min(size, self._device.memory_bytes))
            with self._device.guard():
                model = self._load(self._models, place, self._device)
            kept = _Kept(place, model, users=1)
            with self._lock:
                self._kept[name] = kept
            self.shrink(room=0)
        return kept

    def _reserve(self, place: Place) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(place.name)
            if kept is None or kept.place != place:
                return None
            self._kept.move_to_end(place.name)
            kept.users += 1
            return kept
