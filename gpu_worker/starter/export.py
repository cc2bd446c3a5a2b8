"""The checkpoint as others load it: diffusers' folder layout, half precision, and pingvas.json beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from gpu_worker.starter import text, tokenizer, unet, vae
from gpu_worker.starter.captions import VOCABULARY
from gpu_worker.starter.common import log
from gpu_worker.starter.world import NATIVE_SIZES

STEPS = 12
GUIDANCE = 3.0
EXAMPLES = (
    "a red circle on a blue background",
    "a small yellow star at the top left on a white background",
    "a large purple heart on a pink background",
    "a green square and an orange triangle on a black background",
    "a white ring against a brown background",
    "a drawing of a cyan diamond on the right, gray background",
    "a blue cross above a red ring on a yellow background",
    "Big Orange Disc in the Bottom Right Corner on a Green Background",
)


def facts_file() -> dict[str, Any]:
    """What the services and the studio want to know before they load anything."""
    return {
        "name": "pingvas-starter",
        "title": "Pingvas Starter",
        "description": "A tiny demo model with the SDXL architecture: flat shapes on plain backgrounds, by caption.",
        "kind": "demo",
        "base": "sdxl",
        "licence": "Apache-2.0",
        "native_sizes": [list(size) for size in NATIVE_SIZES],
        "default_size": [128, 128],
        "max_size": 192,
        "default_steps": STEPS,
        "default_guidance_scale": GUIDANCE,
        "scheduler": "DDIMScheduler",
        "vocabulary": sorted(VOCABULARY),
        "examples": list(EXAMPLES),
    }


def export(work: Path, target: Path) -> None:
    """Write the model folder from the stages' checkpoints; files that are not ours (the model card) stay."""
    autoencoder = vae.load(work / "vae-polished.pt").to("cpu", memory_format=torch.contiguous_format).float()
    encoders = [encoder.to("cpu") for encoder in text.load(work / "text.pt")]
    pipeline = StableDiffusionXLPipeline(
        vae=autoencoder, text_encoder=encoders[0], text_encoder_2=encoders[1], tokenizer=tokenizer.build(),
        tokenizer_2=tokenizer.build(), unet=unet.load(work / "unet.pt"), scheduler=unet.schedule(),
        force_zeros_for_empty_prompt=True, add_watermarker=False,
    )  # fmt: skip
    about = facts_file()
    pipeline.to(torch.float16).save_pretrained(target, safe_serialization=True)
    for folder in ("tokenizer", "tokenizer_2"):
        tokenizer.save(target / folder)
    for folder in ("text_encoder", "text_encoder_2"):
        # Stored in half precision, but loaded in single precision unless asked otherwise, as the other parts are:
        # transformers would take the stored precision, and the UNet would refuse to mix the two.
        config = json.loads((target / folder / "config.json").read_text()) | {"dtype": "float32"}
        (target / folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (target / "pingvas.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    log(f"exported to {target}: {size / 1e6:.1f} MB")
