"""A randomly initialised SDXL, tiny, saved as `stabilityai/stable-diffusion-xl-base-1.0` is laid out.

The layout is that repository's at its main branch: `model_index.json`, then `scheduler`, `text_encoder`,
`text_encoder_2`, `tokenizer`, `tokenizer_2` (each vocab.json, merges.txt, special_tokens_map.json,
tokenizer_config.json), `unet` and `vae`, weights as safetensors, with an fp16 variant beside them on request.
"""

import json
from pathlib import Path
from typing import Any

SIDE = 64
"""The model's own picture size in pixels: 8x8 latents times the VAE's factor of 8."""


def build(folder: Path, *, seed: int = 0, fp16_variant: bool = False) -> Path:
    """Makes the model in `folder` and returns it."""
    import torch
    from diffusers import StableDiffusionXLPipeline

    torch.manual_seed(seed)
    for name, pad in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
        _tokenizer(folder / name, pad)
    pipeline = StableDiffusionXLPipeline(**_components(folder), add_watermarker=False)
    pipeline.save_pretrained(folder, safe_serialization=True)
    if fp16_variant:
        pipeline.to(dtype=torch.float16).save_pretrained(folder, safe_serialization=True, variant="fp16")
    for name, pad in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
        for path in (folder / name).iterdir():
            path.unlink()
        _tokenizer(folder / name, pad)
    return folder


def _components(folder: Path) -> dict[str, Any]:
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    tokenizers = {name: CLIPTokenizer.from_pretrained(folder / name) for name in ("tokenizer", "tokenizer_2")}
    text: dict[str, Any] = {
        "vocab_size": len(tokenizers["tokenizer"]),
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "projection_dim": 32,
        "bos_token_id": tokenizers["tokenizer"].bos_token_id,
        "eos_token_id": tokenizers["tokenizer"].eos_token_id,
    }
    return {
        **tokenizers,
        "text_encoder": CLIPTextModel(CLIPTextConfig(**text, hidden_act="quick_gelu")).eval(),
        "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**text, hidden_act="gelu")).eval(),
        "scheduler": EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            timestep_spacing="leading",
            interpolation_type="linear",
        ),
        "unet": UNet2DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            sample_size=SIDE // 8,
            in_channels=4,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=6 * 8 + 32,
            cross_attention_dim=64,
        ).eval(),
        "vae": AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=SIDE,
            scaling_factor=0.13025,
            force_upcast=True,
        ).eval(),
    }


def _tokenizer(folder: Path, pad: str) -> None:
    """CLIP's byte-level vocabulary without merges: every word becomes its letters."""
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 324))]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    files: dict[str, object] = {
        "vocab.json": {word: number for number, word in enumerate(words)},
        "special_tokens_map.json": {**special, "pad_token": pad},
        "tokenizer_config.json": {
            **special,
            "pad_token": pad,
            "model_max_length": 77,
            "do_lower_case": True,
            "add_prefix_space": False,
            "errors": "replace",
            "tokenizer_class": "CLIPTokenizer",
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
