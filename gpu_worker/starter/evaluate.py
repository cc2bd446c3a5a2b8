"""How well the exported model follows captions: seeded prompts, and a judge that uses no model."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from gpu_worker.starter.captions import Writer
from gpu_worker.starter.common import device
from gpu_worker.starter.judge import compare, look
from gpu_worker.starter.world import NATIVE_SIZES, Array, Scene, sample_scene

PROMPTS = 512
BATCH = 16
GROUPS = ("one object", "one object, held out", "two objects", "two objects, held out")


def open_pipeline(folder: Path) -> Any:
    """The exported model as anyone loads it."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device())


def paint_prompts(
    pipeline: Any, prompts: list[str], size: tuple[int, int], seeds: list[int], **options: Any
) -> list[Array]:
    """One picture per prompt and seed, `height x width x 3` in 0..1, at the folder's default settings."""
    about = json.loads((Path(pipeline.config._name_or_path) / "pingvas.json").read_text())
    settings = {"num_inference_steps": about["default_steps"], "guidance_scale": about["default_guidance_scale"]}
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    with torch.inference_mode():
        pictures = pipeline(
            prompts, width=size[0], height=size[1], generator=generators, output_type="np", **(settings | options)
        ).images
    return [np.asarray(picture, dtype=np.float32) for picture in pictures]


def questions(count: int, seed: int = 2026) -> list[tuple[str, str, Scene]]:
    """Group, prompt and wanted scene: a quarter for each group, at each native size in turn."""
    rng = np.random.default_rng(seed)
    writer = Writer(rng)
    result = []
    for index in range(count):
        group = index % len(GROUPS)
        canvas = NATIVE_SIZES[(index // len(GROUPS)) % len(NATIVE_SIZES)]
        scene = sample_scene(rng, canvas, held_out=group % 2 == 1, things=1 + group // 2)
        result.append((GROUPS[group], writer.dress(writer.full(scene)), scene))
    return result


def evaluate(folder: Path, report: Path | None, count: int = PROMPTS, **options: Any) -> dict[str, Any]:
    """Draw, judge, print the table and write it as JSON."""
    pipeline, started = open_pipeline(folder), time.monotonic()
    asked = questions(count)
    outcome: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    wrong: list[dict[str, Any]] = []
    for canvas in NATIVE_SIZES:
        mine = [(i, *item) for i, item in enumerate(asked) if (item[2].width, item[2].height) == canvas]
        for start in range(0, len(mine), BATCH):
            part = mine[start : start + BATCH]
            pictures = paint_prompts(pipeline, [p for _, _, p, _ in part], canvas, [i for i, *_ in part], **options)
            for (_, group, prompt, scene), picture in zip(part, pictures, strict=True):
                right = compare(scene, look(picture))
                for name in (group, "all"):
                    for fact, value in right.items():
                        outcome[name][fact].append(value)
                if not right["all"]:
                    wrong.append({"prompt": prompt, "missed": [k for k, v in right.items() if not v and k != "all"]})
    table = {
        name: {fact: round(float(np.mean(values)), 4) for fact, values in outcome[name].items()}
        for name in (*GROUPS, "all")
    }
    result = {"prompts": count, "seconds": round(time.monotonic() - started, 1), "table": table, "missed": wrong}
    print(markdown(table))
    if report:
        report.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return result


def markdown(table: dict[str, dict[str, float]]) -> str:
    """The table as the model card shows it."""
    facts = ("background", "colour", "shape", "size", "position", "count", "all")
    lines = ["| prompts | " + " | ".join(facts) + " |", "|---" * (len(facts) + 1) + "|"]
    for name, row in table.items():
        cells = (f"{row[fact]:.1%}" if fact in row else "–" for fact in facts)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def grid(folder: Path, target: Path, prompts: list[str], seeds: int = 4) -> None:
    """A row per prompt, a column per seed, at the default size."""
    pipeline = open_pipeline(folder)
    rows = [np.concatenate(paint_prompts(pipeline, [prompt] * seeds, (128, 128), list(range(seeds))), 1)
            for prompt in prompts]  # fmt: skip
    half = (len(rows) + 1) // 2
    columns = [np.concatenate(rows[:half]), np.concatenate(rows[half:])]
    gap = np.ones((columns[0].shape[0], 16, 3), dtype=np.float32)
    sheet = np.concatenate([columns[0], gap, columns[1]], 1) if len(rows) % 2 == 0 else np.concatenate(rows)
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((sheet * 255).round().astype(np.uint8)).save(target, optimize=True)
