"""The UNet's optimizer: its updates are orthogonal, and it goes on where it stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gpu_worker.starter.muon import Muon, orthogonal

pytestmark = pytest.mark.model


@pytest.mark.parametrize("shape", [(2, 24, 64), (3, 64, 24)])
def test_updates_are_nearly_orthogonal(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)).float())
    assert values.min() > 0.5
    assert values.max() < 1.3


def learner() -> tuple[torch.nn.Module, Muon]:
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    return model, Muon(list(model.named_parameters()), ThreadPoolExecutor(1))


def learn(model: torch.nn.Module, optimizer: Muon, steps: int) -> float:
    generator = torch.Generator().manual_seed(2)
    inputs, wanted = torch.randn(64, 8, generator=generator), torch.randn(64, 4, generator=generator)
    loss = torch.zeros(())
    for _ in range(steps):
        model.zero_grad()
        loss = ((model(inputs) - wanted) ** 2).mean()
        torch.autograd.backward(loss)
        optimizer.step(0.02)
    return float(loss.detach())


def test_a_resumed_run_ends_where_an_unbroken_one_does() -> None:
    whole, optimizer = learner()
    first = learn(whole, optimizer, 1)
    unbroken = learn(whole, optimizer, 20)
    assert unbroken < 0.9 * first

    half, optimizer = learner()
    learn(half, optimizer, 11)
    weights, state = half.state_dict(), optimizer.state_dict()
    resumed, optimizer = learner()
    resumed.load_state_dict(weights)
    optimizer.load_state_dict(state)
    assert learn(resumed, optimizer, 10) == pytest.approx(unbroken, rel=1e-3)
