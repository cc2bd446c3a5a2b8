"""What every training stage needs: the device, mixed precision, a clock, and safe writing."""

from __future__ import annotations

import copy
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch


def device() -> torch.device:
    """A GPU if one is at hand, the processor otherwise."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed() -> AbstractContextManager[Any]:
    """bfloat16 where it is safe: several times faster on a GPU and on processors with matrix units."""
    return torch.autocast(device().type, dtype=torch.bfloat16)


def log(line: str) -> None:
    """One line of progress, with the time of day."""
    print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a crash leaves the old one or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


class Shards:
    """One model trained on several shards of a batch at once, one processor core each.

    A core that is busy elsewhere then delays a step once, not at every one of its thousand operations, which is
    what threads inside each operation suffer on a shared machine. A GPU gets one shard.
    """

    def __init__(self, model: Any) -> None:
        self.count = 1 if device().type == "cuda" else min(4, os.cpu_count() or 1)
        if self.count > 1:
            torch.set_num_threads(1)
        self.models = [model, *(copy.deepcopy(model) for _ in range(self.count - 1))]
        for twin in self.models[1:]:
            for own, shared in zip(twin.parameters(), model.parameters(), strict=True):
                own.data = shared.data
        self.pool = ThreadPoolExecutor(self.count)

    def backward(self, loss: Callable[..., torch.Tensor], *batch: torch.Tensor) -> float:
        """Gradients of `loss(model, *batch)` averaged over the shards; returns the mean loss."""

        def run(index: int) -> float:
            torch.set_num_threads(1 if self.count > 1 else torch.get_num_threads())
            value = loss(self.models[index], *(part.chunk(self.count)[index] for part in batch)) / self.count
            torch.autograd.backward(value)
            return float(value.detach())

        total = sum(self.pool.map(run, range(self.count)))
        for twin in self.models[1:]:
            for own, shared in zip(twin.parameters(), self.models[0].parameters(), strict=True):
                if own.grad is not None:
                    shared.grad = own.grad if shared.grad is None else shared.grad.add_(own.grad)
                    own.grad = None
        return total


class Clock:
    """How far along a stage is, 0..1: whichever of its time and its steps runs out first."""

    def __init__(self, minutes: float, steps: int, spent: float = 0.0) -> None:
        self.seconds, self.steps = minutes * 60, steps
        self.started = time.monotonic() - spent

    def spent(self) -> float:
        """Seconds used so far, earlier runs counted in."""
        return time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Done when 1 or more."""
        return max(step / self.steps, self.spent() / self.seconds)
