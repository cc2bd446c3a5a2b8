"""The exported model in the real pipeline: it loads, it follows captions, and its description is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_worker.starter.captions import VOCABULARY, unknown_words
from gpu_worker.starter.world import NATIVE_SIZES

pytestmark = pytest.mark.model
FOLDER = Path(__file__).resolve().parents[3] / "models" / "sdxl" / "pingvas-starter"
ABOUT = json.loads((FOLDER / "pingvas.json").read_text())


@pytest.fixture(scope="module")
def pipeline() -> Any:
    from gpu_worker.starter.evaluate import open_pipeline

    return open_pipeline(FOLDER)


def paint(pipeline: Any, prompt: str, count: int, **options: Any) -> list[np.ndarray]:
    from gpu_worker.starter.evaluate import paint_prompts

    size = options.pop("size", tuple(ABOUT["default_size"]))
    return paint_prompts(pipeline, [prompt] * count, size, list(range(count)), **options)


def test_a_red_circle_on_blue_is_one(pipeline: Any) -> None:
    from gpu_worker.starter.judge import look

    verdicts = [look(picture) for picture in paint(pipeline, "a red circle on a blue background", 6)]
    seen = [(v.background, *((thing.shape, thing.colour) for thing in v.things)) for v in verdicts]
    assert sum(one == ("blue", ("circle", "red")) for one in seen) >= 5, seen


def test_seeds_repeat_and_differ(pipeline: Any) -> None:
    first, other = paint(pipeline, "a green star", 2)
    again = paint(pipeline, "a green star", 1)[0]
    assert np.abs(first - again).max() < 0.02
    assert np.abs(first - other).max() > 0.1


@pytest.mark.parametrize("size", NATIVE_SIZES[1:])
def test_native_sizes_are_drawn_at_their_size(pipeline: Any, size: tuple[int, int]) -> None:
    from gpu_worker.starter.judge import look

    picture = paint(pipeline, "a large yellow square on a black background", 1, size=size)[0]
    assert picture.shape == (size[1], size[0], 3)
    assert look(picture).background == "black"


def test_without_a_precision_every_part_gets_the_same() -> None:
    import torch
    from diffusers import StableDiffusionXLPipeline

    parts = StableDiffusionXLPipeline.from_pretrained(FOLDER, local_files_only=True).components
    models = [part for part in parts.values() if isinstance(part, torch.nn.Module)]
    assert {model.dtype for model in models} == {torch.float32}


def test_a_negative_prompt_changes_the_picture(pipeline: Any) -> None:
    plain = paint(pipeline, "a circle on a white background", 1)[0]
    steered = paint(pipeline, "a circle on a white background", 1, negative_prompt=["red"])[0]
    assert np.abs(plain - steered).mean() > 0.001


def test_an_empty_prompt_draws_a_scene(pipeline: Any) -> None:
    from gpu_worker.starter.judge import look

    assert any(look(picture).things for picture in paint(pipeline, "", 4))


def test_the_description_is_true(pipeline: Any) -> None:
    assert ABOUT["vocabulary"] == sorted(VOCABULARY)
    assert not [word for prompt in ABOUT["examples"] for word in unknown_words(prompt)]
    assert [tuple(size) for size in ABOUT["native_sizes"]] == list(NATIVE_SIZES)
    assert ABOUT["scheduler"] == type(pipeline.scheduler).__name__
    assert pipeline.tokenizer.get_vocab() == pipeline.tokenizer_2.get_vocab()
    assert pipeline.unet.config.addition_embed_type == "text_time"


def test_the_folder_is_small_enough_for_git() -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 25_000_000
    assert not list(FOLDER.rglob("*.bin"))
