"""PNG and WebP bytes of a picture, the same for the same picture: no time, no ids.

A PNG carries two texts: `pingvas`, our own in JSON, and `parameters`, the one that other tools of the trade read
(the format of AUTOMATIC1111's web UI: prompt, negative prompt, then a line of settings).
"""

import io
from typing import Any

import orjson
from PIL.Image import Image, Resampling
from PIL.PngImagePlugin import PngInfo

from gpu_worker.request import TextToImage

PNG_LEVEL = 1
"""zlib's fastest: a 1024x1024 picture takes half of the default level's time and a seventh more bytes."""
WEBP_QUALITY = 80
FORMAT = 1
SAMPLERS = {
    "DDIMScheduler": "DDIM",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "DPMSolverSDEScheduler": "DPM++ SDE",
    "DPMSolverSinglestepScheduler": "DPM++ 2S a",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "EulerDiscreteScheduler": "Euler",
    "HeunDiscreteScheduler": "Heun",
    "KDPM2AncestralDiscreteScheduler": "DPM2 a",
    "KDPM2DiscreteScheduler": "DPM2",
    "LCMScheduler": "LCM",
    "LMSDiscreteScheduler": "LMS",
    "PNDMScheduler": "PLMS",
    "UniPCMultistepScheduler": "UniPC",
}
"""diffusers' classes by the names that other tools know."""


def parameters(request: TextToImage, index: int, sampler: str) -> dict[str, Any]:
    """What made image `index` of a request: asking for this again gives the same picture."""
    return {
        "format": FORMAT,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "model": request.model,
        "width": request.width,
        "height": request.height,
        "steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "seed": request.seed_of(index),
        "scheduler": sampler,
    }


def settings_text(about: dict[str, Any]) -> str:
    """The text `parameters`.

    >>> about = parameters(TextToImage("a cat", "rain", "m", 64, 32, 8, 5.0, 7, 1), 0, "EulerDiscreteScheduler")
    >>> print(settings_text(about))
    a cat
    Negative prompt: rain
    Steps: 8, Sampler: Euler, CFG scale: 5, Seed: 7, Size: 64x32, Model: m
    """
    lines = [about["prompt"]]
    if about["negative_prompt"]:
        lines.append(f"Negative prompt: {about['negative_prompt']}")
    sampler = SAMPLERS.get(about["scheduler"], about["scheduler"].removesuffix("Scheduler"))
    lines.append(
        f"Steps: {about['steps']}, Sampler: {sampler}, CFG scale: {about['guidance_scale']:g}, "
        f"Seed: {about['seed']}, Size: {about['width']}x{about['height']}, Model: {about['model']}"
    )
    return "\n".join(lines)


def encode(picture: Image, about: dict[str, Any]) -> bytes:
    """A PNG of the picture with `about` in it."""
    info = PngInfo()
    info.add_text("parameters", settings_text(about))
    info.add_itxt("pingvas", orjson.dumps(about).decode())
    return _bytes(picture, "PNG", pnginfo=info, compress_level=PNG_LEVEL)


def thumbnail(picture: Image, side: int) -> bytes:
    """A WebP whose longer side is at most `side` pixels."""
    small = picture.copy()
    small.thumbnail((side, side), Resampling.LANCZOS)
    return _bytes(small, "WEBP", quality=WEBP_QUALITY, method=2)


def _bytes(picture: Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
