"""What is written into a picture's file, and that nothing else is."""

import io
import json
from typing import Any

import pytest
from PIL import Image

from gpu_worker import png
from gpu_worker.request import TextToImage

REQUEST = TextToImage(
    prompt="a fox 🦊", negative_prompt="", model="m", width=16, height=8, steps=4, guidance_scale=2.5, seed=3, n=2
)


def picture() -> Image.Image:
    return Image.linear_gradient("L").resize((16, 8)).convert("RGB")


def test_both_texts_are_readable() -> None:
    about = png.parameters(REQUEST, 1, "DPMSolverMultistepScheduler")
    read: Any = Image.open(io.BytesIO(png.encode(picture(), about)))
    assert json.loads(read.text["pingvas"]) == about
    assert about["seed"] == 4
    assert read.text["parameters"] == (
        "a fox 🦊\nSteps: 4, Sampler: DPM++ 2M, CFG scale: 2.5, Seed: 4, Size: 16x8, Model: m"
    )
    assert read.tobytes() == picture().tobytes()


def test_the_same_picture_gives_the_same_bytes() -> None:
    about = png.parameters(REQUEST, 0, "EulerDiscreteScheduler")
    assert png.encode(picture(), about) == png.encode(picture(), about)


@pytest.mark.parametrize("size", [(16, 8), (1000, 500), (300, 900)])
def test_a_thumbnail_keeps_the_proportions_and_never_grows(size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(png.thumbnail(picture().resize(size), 256))) as small:
        assert max(small.size) == min(256, max(size))
        assert small.size[0] / small.size[1] == pytest.approx(size[0] / size[1], rel=0.02)


def test_an_unknown_sampler_keeps_its_class_name() -> None:
    assert "Sampler: FlowMatch" in png.settings_text(png.parameters(REQUEST, 0, "FlowMatchScheduler"))
