"""The device that pictures are computed on: a GPU if there is one, the processor otherwise."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]
import torch

from gpu_worker.models.errors import DeviceLostError, OutOfMemoryError
from services.kernel.logs import get_logger
from services.kernel.settings import Settings

log = get_logger("device")
GIB = 2**30
ACTIVATIONS_GIB = 6
"""GPU memory kept free for a picture's own tensors: an SDXL picture of 1024x1024 with its VAE in float32 takes 5."""
PROCESSOR_SHARE = 0.5
"""Of the machine's memory, what models may keep where the processor renders."""


class Device:
    """Where, in which precision and with how many threads."""

    def __init__(self, settings: Settings) -> None:
        if settings.device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PINGVAS_DEVICE is cuda, but torch finds no CUDA device")
        on_gpu = settings.device != "cpu" and torch.cuda.is_available()
        self.torch = torch.device("cuda" if on_gpu else "cpu")
        self.dtype = torch.float16 if on_gpu else torch.float32
        if on_gpu:
            # The same request gives the same bytes on the same machine: no algorithm is chosen by a race.
            torch.backends.cudnn.benchmark = False
            torch.backends.cudnn.deterministic = True
            total = torch.cuda.get_device_properties(self.torch).total_memory
            room = max(total // 2, total - ACTIVATIONS_GIB * GIB)
        else:
            torch.set_num_threads(settings.threads or default_threads())
            room = int(psutil.virtual_memory().total * PROCESSOR_SHARE)
        self.memory_bytes = int(settings.model_memory_gib * GIB) or room
        log.info("device", device=str(self.torch), dtype=str(self.dtype), threads=torch.get_num_threads())

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turns torch's errors into ours. A failed allocation's tensors are let go before anybody hears of it."""
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(str(error)) from None
        except MemoryError:
            raise OutOfMemoryError("the processor's memory is used up") from None
        except RuntimeError as error:
            text = str(error)
            if "DefaultCPUAllocator" in text or "CUDA out of memory" in text:
                raise OutOfMemoryError(text.splitlines()[0]) from None
            if "CUDA error" in text or "CUDNN_STATUS" in text:
                raise DeviceLostError(text.splitlines()[0]) from error
            raise

    def release(self) -> None:
        """Gives unused memory back to the device."""
        if self.torch.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()


def default_threads() -> int:
    """Half of the processors this process may use: the services, the database and the broker run on the rest.

    OpenMP's threads wait for each other at every layer, so one thread too many costs more than many too few: on two
    cores of which one was taken, two threads needed 8 to 15 seconds for a picture that one thread makes in 0.5.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable // 2)
