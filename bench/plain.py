"""`python -m bench.plain FOLDER COUNT PROMPT`: diffusers' pipeline in a loop; its last line is pictures a second."""

import json
import os
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from diffusers import StableDiffusionXLPipeline

from gpu_worker.models.device import default_threads


def main() -> None:
    folder, count, prompt = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    about = json.loads((folder / "pingvas.json").read_text())
    width, height = about["default_size"]
    torch.set_num_threads(default_threads())
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        folder, torch_dtype=torch.float32, local_files_only=True, add_watermarker=False
    )
    pipeline.set_progress_bar_config(disable=True)

    def make(seed: int) -> None:
        pipeline(
            prompt=prompt,
            width=width,
            height=height,
            num_inference_steps=about["default_steps"],
            guidance_scale=about["default_guidance_scale"],
            generator=torch.Generator("cpu").manual_seed(seed),
        )

    for seed in range(3):
        make(seed)
    begun = time.perf_counter()
    for seed in range(count):
        make(seed)
    print(count / (time.perf_counter() - begun))


if __name__ == "__main__":
    main()
