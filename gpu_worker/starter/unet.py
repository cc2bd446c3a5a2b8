"""The UNet: training on stored latents, with captions written afresh each time a scene comes round."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor

from gpu_worker.starter import text
from gpu_worker.starter.captions import Writer
from gpu_worker.starter.common import Clock, Shards, device, log, mixed, save_state
from gpu_worker.starter.muon import Muon
from gpu_worker.starter.vae import to_tensor
from gpu_worker.starter.world import NATIVE_SIZES, Scene, draw, sample_scene

BATCH = 48
STEPS = 60_000
LEARNING_RATE = 1.8e-3
EMA = 0.9993
SCENES = {(128, 128): 28_000, (160, 96): 6_000, (96, 160): 6_000}
SHARE = (0.7, 0.15, 0.15)  # how often a batch is square, wide, tall


def build() -> Any:
    """An untrained SDXL UNet in small: a plain level at full latent size, an attention level at half of it.

    The time embedding scales features as well as shifting them, so that the pooled text embedding can switch
    whole shapes on and off.
    """
    model = UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(128, 128), layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=sum(text.WIDTHS), attention_head_dim=(4, 4), transformer_layers_per_block=1,
        use_linear_projection=True, norm_num_groups=16, resnet_time_scale_shift="scale_shift",
        addition_embed_type="text_time", addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=6 * 32 + text.FACTS,
    )  # fmt: skip
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Conv2d) and name.endswith(".conv2"):
            layer.weight.data *= 0.2  # residual branches start quiet
    torch.nn.init.zeros_(model.conv_out.weight)
    return model


def schedule() -> Any:
    """The noise schedule: velocity prediction down to no signal at all, so that backgrounds can be any colour."""
    return DDIMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing",
        clip_sample=False, set_alpha_to_one=True, steps_offset=1,
    )  # fmt: skip


def scenes_of(canvas: tuple[int, int]) -> list[Scene]:
    """The training scenes of one canvas size: always the same ones."""
    rng = np.random.default_rng([7, *canvas])
    return [sample_scene(rng, canvas) for _ in range(SCENES[canvas])]


def object_area(scene: Scene) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The latent cells on and around the objects, `h/8 x w/8`."""
    height, width = scene.height // 8, scene.width // 8
    ys, xs = np.mgrid[0.5:height, 0.5:width]
    area = np.zeros((height, width), dtype=bool)
    for thing in scene.things:
        reach = thing.radius * min(width, height) * 1.1 + 0.7
        area |= (abs(xs - thing.x * width) < reach) & (abs(ys - thing.y * height) < reach)
    return area


@torch.no_grad()
def encode_latents(path: Path, vae: Any) -> None:
    """Draw and encode every training scene once: a training step then costs the UNet alone."""
    stored: dict[str, Any] = {}
    shards = Shards(vae)

    def encode(index: int, scenes: list[Scene]) -> torch.Tensor:
        torch.set_num_threads(1)
        with torch.no_grad(), mixed():
            pictures = to_tensor([draw(scene) for scene in scenes]).to(device())
            latents: torch.Tensor = shards.models[index].encode(pictures).latent_dist.mean
            return latents.half().cpu()

    for canvas in NATIVE_SIZES:
        scenes = scenes_of(canvas)
        parts = [scenes[i : i + 32] for i in range(0, len(scenes), 32)]
        latents = list(shards.pool.map(encode, [i % shards.count for i in range(len(parts))], parts))
        areas = np.stack([object_area(scene) for scene in scenes])
        stored[f"{canvas[0]}x{canvas[1]}"] = {"latents": torch.cat(latents), "areas": torch.from_numpy(areas)}
        log(f"latents {canvas}: {len(scenes)}")
    save_state(path, stored)


class Feed:
    """Endless training batches: latents, object areas, token numbers, time ids and the dropped captions."""

    def __init__(self, latents: Path, seed: int) -> None:
        stored = torch.load(latents, weights_only=True)
        self.rng = np.random.default_rng(seed)
        self.writer = Writer(self.rng)
        self.sets = [(c, scenes_of(c), stored[f"{c[0]}x{c[1]}"]) for c in NATIVE_SIZES]

    def batch(self) -> tuple[torch.Tensor, ...]:
        """One batch of one canvas size."""
        canvas, scenes, stored = self.sets[int(self.rng.choice(len(self.sets), p=SHARE))]
        picks = self.rng.integers(len(scenes), size=BATCH)
        captions = [self.writer.caption(scenes[i]).text for i in picks]
        dropped = self.rng.random(BATCH)
        ids = text.tokenize(["" if drop < 0.1 else line for drop, line in zip(dropped, captions, strict=True)])
        width, height = canvas
        index = torch.from_numpy(picks)
        return (
            stored["latents"][index].float().to(device(), memory_format=torch.channels_last),
            stored["areas"][index, None].float().to(device()),
            ids,
            torch.tensor([[height, width, 0, 0, height, width]] * BATCH, dtype=torch.float32).to(device()),
            # Half of the dropped captions are all zeros (no negative prompt), half are the empty text.
            torch.from_numpy(dropped < 0.05).to(device()),
            self._times().to(device()),
        )

    def _times(self) -> torch.Tensor:
        """Mostly the noisier middle, where shapes are decided, and always some pure noise: there sampling starts."""
        uniform = self.rng.random(BATCH)
        leaning = 1 / (1 + np.exp(-self.rng.normal(0.6, 1.0, BATCH)))
        times = np.where(self.rng.random(BATCH) < 0.3, uniform, leaning) * 1000
        times[self.rng.random(BATCH) < 0.04] = 999
        return torch.from_numpy(times.astype(np.int64).clip(0, 999))


def _objective(encoders: tuple[Any, Any], noise_schedule: Any) -> Any:
    def loss(model: Any, *batch: torch.Tensor) -> torch.Tensor:
        latents, areas, ids, sizes, zero, times = batch
        noise = torch.randn_like(latents)
        with mixed():
            with torch.no_grad():
                context, pooled = text.encode(encoders, ids)
                context = context.masked_fill(zero[:, None, None], 0)
                pooled = pooled.masked_fill(zero[:, None], 0)
            noisy = noise_schedule.add_noise(latents, noise, times)
            added = {"text_embeds": pooled, "time_ids": sizes}
            velocity = model(noisy, times, context, added_cond_kwargs=added).sample
        error = (velocity.float() - noise_schedule.get_velocity(latents, noise, times)) ** 2
        weight = 1 + 4 * areas
        weighted: torch.Tensor = error * weight / weight.mean((1, 2, 3), keepdim=True)
        return weighted.mean()

    return loss


def train(path: Path, latents: Path, encoders: tuple[Any, Any], minutes: float, seed: int = 2) -> None:
    """Train until `minutes` have been spent in all, resuming from `path`; it is rewritten every two minutes."""
    torch.manual_seed(seed)
    model = build().to(device(), memory_format=torch.channels_last)
    # Written-out attention: on a processor the fused kernel's backward pass takes a quarter of a step by itself.
    model.set_attn_processor(AttnProcessor())
    names = [name for name, _ in model.named_parameters()]
    parameters = list(model.parameters())
    shards = Shards(model)
    optimizer = Muon(list(model.named_parameters()), shards.pool)
    average = [parameter.detach().clone() for parameter in parameters]
    step, spent = 0, 0.0
    if path.exists():
        state = torch.load(path, weights_only=True, map_location=device())
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average = [state["average"][name] for name in names]
        step, spent = state["step"], state["spent"]
        torch.manual_seed(seed + step)
    feed, clock = Feed(latents, seed + step), Clock(minutes, STEPS, spent)
    objective, saved, recent = _objective(encoders, schedule()), clock.spent(), 0.0

    def save() -> None:
        save_state(path, {
            "model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step,
            "average": dict(zip(names, average, strict=True)), "spent": clock.spent(),
        })  # fmt: skip

    while (progress := clock.progress(step)) < 1:
        warm, cosine = min(1.0, (step + 1) / 200), math.cos(progress * math.pi / 2) ** 2
        model.zero_grad(set_to_none=True)
        value = shards.backward(objective, *feed.batch())
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step(LEARNING_RATE * warm * (0.02 + 0.98 * cosine))
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(average, parameters, 1 - min(EMA, (1 + step) / (10 + step)))
        recent = value if not recent else 0.98 * recent + 0.02 * value
        if step % 50 == 0:
            log(f"unet {step} loss {recent:.4f}, {clock.spent() / 60:.1f} min")
        if clock.spent() - saved > 120:
            saved = clock.spent()
            save()
    save()


def load(path: Path) -> Any:
    """The averaged UNet, in evaluation mode."""
    model = build()
    model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["average"])
    return model.eval().requires_grad_(False)
