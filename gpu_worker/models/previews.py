"""Previews from latents without the VAE: four numbers a pixel become a colour by one small matrix.

The matrix is fitted once a model by least squares, between smooth random latents and what its VAE makes of them. Of
the noisy latents a preview first takes the noise: with signal a and noise level s, x = a x0 + s e, and two neighbouring
steps of a deterministic sampler share x0 and e nearly, so x0 = (s1 x0' - s0 x1') / (s1 a0 - s0 a1).
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
SAMPLES = 8
"""Latents of four flat patches each: 32 colours for the five unknowns of each channel."""
SIDE = 8


class Previewer:
    """The colours of one VAE's latents."""

    def __init__(self, vae: Any) -> None:
        self._matrix = _fit(vae)

    def picture(self, scheduler: Any, step: int, latents: Any, earlier: Any, side: int) -> Image.Image | None:
        """A picture of the first latents, at most `side` pixels long; None where there is nothing to see yet."""
        try:
            clean = _clean(scheduler, step, _array(latents), None if earlier is None else _array(earlier))
        except (IndexError, AttributeError, TypeError):
            # The scheduler has gone on to another schedule, or is of a kind that has none.
            return None
        if clean is None or not np.isfinite(clean).all():
            return None
        channels = len(clean)
        flat = np.concatenate([clean.reshape(channels, -1).T, np.ones((clean[0].size, 1), np.float32)], axis=1)
        colours = (flat @ self._matrix).reshape(*clean.shape[1:], 3)
        pixels = (np.clip(colours * 0.5 + 0.5, 0, 1) * 255).round().astype(np.uint8)
        height, width = pixels.shape[:2]
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def _array(latents: Any) -> Array:
    array: Array = latents[0].detach().float().cpu().numpy()
    return array


@torch.no_grad()
def _fit(vae: Any) -> Array:
    weight = next(vae.parameters())
    generator = torch.Generator("cpu").manual_seed(0)
    channels = vae.config.latent_channels
    patches = torch.randn(SAMPLES, channels, SIDE // 4, SIDE // 4, generator=generator)
    latents = patches.repeat_interleave(4, 2).repeat_interleave(4, 3)
    upcast = weight.dtype == torch.float16 and vae.config.force_upcast
    if upcast:
        vae.to(dtype=torch.float32)
    ready = (latents / vae.config.scaling_factor).to(weight.device, torch.float32 if upcast else weight.dtype)
    decoded = torch.cat([vae.decode(one[None]).sample for one in ready]).float().cpu()
    if upcast:
        vae.to(dtype=torch.float16)
    factor = decoded.shape[-1] // SIDE
    small = torch.nn.functional.avg_pool2d(decoded, factor)
    left = latents.permute(0, 2, 3, 1).reshape(-1, channels).numpy()
    left = np.concatenate([left, np.ones((len(left), 1), np.float32)], axis=1)
    matrix: Array = np.linalg.lstsq(left, small.permute(0, 2, 3, 1).reshape(-1, 3).numpy(), rcond=None)[0]
    return matrix.astype(np.float32)


def _clean(scheduler: Any, step: int, latents: Array, earlier: Array | None) -> Array | None:
    signal, noise = _levels(scheduler, step)
    if noise < 1e-3:
        return latents / signal
    if earlier is None:
        return None
    signal_before, noise_before = _levels(scheduler, step - 1)
    divisor = noise * signal_before - noise_before * signal
    if abs(divisor) < 1e-6:
        return None
    return ((noise * earlier - noise_before * latents) / divisor).astype(np.float32)


def _levels(scheduler: Any, step: int) -> tuple[float, float]:
    """Signal and noise of the latents after `step` steps."""
    if hasattr(scheduler, "sigmas"):
        sigma = float(scheduler.sigmas[step])
        if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
            alpha, noise = scheduler._sigma_to_alpha_sigma_t(torch.tensor(sigma))
            return float(alpha), float(noise)
        return 1.0, sigma
    ended = step >= len(scheduler.timesteps)
    kept = 1.0 if ended else float(scheduler.alphas_cumprod[int(scheduler.timesteps[step])])
    return kept**0.5, (1 - kept) ** 0.5
