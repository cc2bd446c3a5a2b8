"""A models folder as EFS has it, with a pipeline that is whole in form and has next to nothing inside."""

import json
import struct
from pathlib import Path

PIPELINE = {
    "_class_name": "StableDiffusionXLPipeline",
    "_diffusers_version": "0.42.1",
    "force_zeros_for_empty_prompt": True,
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
ABOUT = {
    "name": "tiny",
    "title": "Tiny",
    "description": "Nothing inside.",
    "kind": "sdxl",
    "base": "sdxl",
    "licence": "CC0-1.0",
    "native_sizes": [[128, 128], [128, 96]],
    "default_size": [128, 96],
    "default_steps": 12,
    "default_guidance_scale": 4.5,
    "scheduler": "EulerDiscreteScheduler",
    "max_size": 256,
    "vocabulary": ["red", "circle"],
    "examples": ["a red circle"],
}


def write_model(models: Path, name: str, *, kind: str = "sdxl") -> Path:
    """Writes `<models>/<kind>/<name>/` and returns it."""
    folder = models / kind / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_index.json").write_text(json.dumps(PIPELINE))
    (folder / "pingvas.json").write_text(json.dumps(ABOUT))
    for component, (_, about) in ((key, value) for key, value in PIPELINE.items() if isinstance(value, list)):
        place = folder / component
        place.mkdir(exist_ok=True)
        if component == "scheduler":
            (place / "scheduler_config.json").write_text("{}")
        elif component.startswith("tokenizer"):
            (place / "vocab.json").write_text("{}")
            (place / "merges.txt").write_text("#version: 0.2\n")
        else:
            (place / "config.json").write_text("{}")
            stem = "model" if about.startswith("CLIP") else "diffusion_pytorch_model"
            write_weights(place / f"{stem}.safetensors")
    return folder


def write_weights(path: Path) -> None:
    """One tensor of four float32 zeros, https://github.com/huggingface/safetensors#format."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
