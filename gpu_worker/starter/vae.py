"""The autoencoder: 8x smaller, four latent channels of mean 0 and variance 1 (scaling factor 1)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone knows
from diffusers import AutoencoderKL

from gpu_worker.starter.common import Clock, Shards, device, log, mixed, save_state
from gpu_worker.starter.world import COLOURS, NATIVE_SIZES, SHAPES, Array, Scene, Thing, draw, sample_scene

BATCH = 8
LEARNING_RATE = 1.5e-3
STEPS = 6000
POLISH_RATE = 1e-3


def build() -> Any:
    """An untrained autoencoder: no attention, so that it works alike at any picture size."""
    model = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, sample_size=128, norm_num_groups=8,
        block_out_channels=(16, 32, 64, 64), layers_per_block=1, mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=1.0, force_upcast=False,
    )  # fmt: skip
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            # Residual branches start quiet and the straight path keeps its variance, so that the picture gets
            # through the bottleneck from the first step; the default start spends minutes on a plateau.
            fan = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
            torch.nn.init.normal_(layer.weight, std=fan**-0.5 * (0.1 if name.endswith(".conv2") else 1.0))
            layer.bias = torch.nn.Parameter(torch.zeros(layer.out_channels))
    return model


def busy_scene(rng: np.random.Generator, canvas: tuple[int, int]) -> Scene:
    """Several objects anywhere at any angle: more edges per picture than the world's own scenes have.

    They are as large in pixels as the world's, whatever the canvas.
    """
    scale = 128 / min(canvas)
    things = tuple(
        Thing(
            SHAPES[int(rng.integers(len(SHAPES)))], COLOURS[int(rng.integers(len(COLOURS)))],
            x=float(rng.uniform(0.1, 0.9)), y=float(rng.uniform(0.1, 0.9)),
            radius=float(rng.uniform(0.1, 0.33) * scale), angle=float(rng.uniform(-30, 30)),
            shade=float(rng.uniform(0.9, 1.1)),
        )
        for _ in range(int(rng.integers(1, 4 if scale > 1.5 else 6)))
    )  # fmt: skip
    return Scene(things, COLOURS[int(rng.integers(len(COLOURS)))], *canvas, shade=float(rng.uniform(0.9, 1.1)))


def to_tensor(pictures: list[Array]) -> torch.Tensor:
    """Pictures in 0..1 as one `n x 3 x h x w` tensor in -1..1."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous() * 2 - 1


def _edges(pictures: torch.Tensor) -> torch.Tensor:
    """Where a picture changes within three pixels, `n x 1 x h x w` of 0 or 1."""
    high, low = F.max_pool2d(pictures, 5, 1, 2), -F.max_pool2d(-pictures, 5, 1, 2)
    return ((high - low).amax(1, keepdim=True) > 0.1).float()


def _loss(model: Any, pictures: torch.Tensor, noisiness: torch.Tensor) -> torch.Tensor:
    """Absolute and squared error, five times heavier near edges."""
    with mixed():
        latent = model.encode(pictures).latent_dist.mean.float()
        # Noise on the latent teaches the decoder to forgive what the UNet gets slightly wrong.
        spread = latent.detach().std(dim=(0, 2, 3), keepdim=True)
        decoded = model.decode(latent + torch.randn_like(latent) * spread * 0.1 * noisiness).sample.float()
    error = (decoded - pictures).abs() + (decoded - pictures) ** 2
    loss: torch.Tensor = (error * (1 + 4 * _edges(pictures))).mean() + 1e-4 * latent.pow(2).mean()
    return loss


def train(path: Path, minutes: float, seed: int = 0) -> None:
    """Train for at most `minutes`, then normalise the latents and save to `path`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = build().to(device())
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.01)
    shards = Shards(model)
    clock, step, started = Clock(minutes, STEPS), 0, time.monotonic()
    while (progress := clock.progress(step)) < 1:
        # Small pictures first: four times as many, and edges are what there is to learn.
        canvas = NATIVE_SIZES[step % 8 if step % 8 < 3 else 0] if progress > 0.6 else (64, 64)
        batch = BATCH if progress > 0.6 else BATCH * 2
        busy = progress < 0.6 or step % 2 == 0
        scenes = [busy_scene(rng, canvas) if busy else sample_scene(rng, canvas) for _ in range(batch)]
        pictures = to_tensor([draw(scene) for scene in scenes]).to(device())
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 100) * max(0.01, (1 - progress) ** 0.8)
        optimizer.zero_grad(set_to_none=True)
        loss = shards.backward(_loss, pictures, torch.rand(batch, 1, 1, 1).to(pictures))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 50 == 0:
            log(f"vae {step} loss {loss:.4f}, {time.monotonic() - started:.0f} s")
    normalise(model, rng)
    save_state(path, {"model": model.state_dict(), "steps": step})


@torch.no_grad()
def normalise(model: Any, rng: np.random.Generator) -> None:
    """Fold mean 0 and variance 1 per latent channel into the two 1x1 convolutions around the latent.

    The fixed log-variance makes sampling from the posterior (image to image) almost noise-free.
    """
    pictures = to_tensor([draw(sample_scene(rng)) for _ in range(256)]).to(device())
    means = torch.cat([model.encode(part).latent_dist.mean.float() for part in torch.split(pictures, 32)])
    mean, std = means.mean((0, 2, 3)), means.std((0, 2, 3))
    before, after = model.quant_conv, model.post_quant_conv
    before.weight[:4] /= std[:, None, None, None]
    before.bias[:4] = (before.bias[:4] - mean) / std
    before.weight[4:] = 0
    before.bias[4:] = -8.0
    after.bias += torch.einsum("oi,i->o", after.weight[:, :, 0, 0], mean)
    after.weight *= std[None, :, None, None]


def polish(source: Path, path: Path, minutes: float, seed: int = 3) -> None:
    """Train the decoder alone for sharper edges: the latents, and so the UNet, stay as they are."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = load(source).train()
    model.decoder.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.decoder.parameters(), lr=POLISH_RATE, betas=(0.9, 0.99), weight_decay=0.01)
    shards, clock, step, started = Shards(model), Clock(minutes, STEPS), 0, time.monotonic()
    while (progress := clock.progress(step)) < 1:
        canvas = NATIVE_SIZES[step % 8 if step % 8 < 3 else 0]
        scenes = [sample_scene(rng, canvas) for _ in range(BATCH)]
        pictures = to_tensor([draw(scene) for scene in scenes]).to(device())
        for group in optimizer.param_groups:
            group["lr"] = POLISH_RATE * min(1.0, (step + 1) / 50) * (1 - progress)
        optimizer.zero_grad(set_to_none=True)
        loss = shards.backward(_loss, pictures, torch.rand(BATCH, 1, 1, 1).to(pictures))
        torch.nn.utils.clip_grad_norm_(model.decoder.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            log(f"decoder {step} loss {loss:.4f}, {time.monotonic() - started:.0f} s")
    save_state(path, {"model": model.state_dict(), "steps": step})


def load(path: Path) -> Any:
    """The trained autoencoder, in evaluation mode on the training device."""
    model = build()
    model.load_state_dict(torch.load(path, weights_only=True)["model"])
    return model.to(device()).eval().requires_grad_(False)
