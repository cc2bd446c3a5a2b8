"""Loading, keeping and running checkpoints in the layout of stabilityai/stable-diffusion-xl-base-1.0."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpu_worker.models import loader
from gpu_worker.models.cache import ModelCache
from gpu_worker.models.errors import ModelUnavailableError
from gpu_worker.request import TextToImage
from services.kernel.settings import Settings
from tests.gpu_worker.harness import TINY

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
REQUEST = TextToImage(
    prompt="a red circle",
    negative_prompt="",
    model=TINY,
    width=64,
    height=32,
    steps=3,
    guidance_scale=5.0,
    seed=1,
    n=2,
)


def nothing(step: int, latents: Any) -> None:
    """No step costs anything."""


@pytest.fixture(scope="module")
def device(worker_settings: Settings) -> Any:
    from gpu_worker.models.device import Device

    return Device(worker_settings)


@pytest.fixture
def copy(models: Path, tmp_path: Path) -> Callable[[], Path]:
    def make(name: str = "other") -> Path:
        shutil.copytree(models / "sdxl" / TINY, tmp_path / "sdxl" / name)
        return tmp_path / "sdxl" / name

    return make


def load(folder: Path, device: Any) -> Any:
    models = folder.parent.parent
    return loader.load(models, loader.find(models, folder.name), device)


def test_the_layout_of_the_real_checkpoint_loads(models: Path, device: Any) -> None:
    import torch

    folder = models / "sdxl" / TINY
    assert {path.name for path in folder.iterdir()} == {
        "model_index.json",
        "scheduler",
        "text_encoder",
        "text_encoder_2",
        "tokenizer",
        "tokenizer_2",
        "unet",
        "vae",
    }
    assert {path.name for path in (folder / "tokenizer").iterdir()} == {
        "merges.txt",
        "special_tokens_map.json",
        "tokenizer_config.json",
        "vocab.json",
    }
    model = load(folder, device)
    assert model.sampler == "EulerDiscreteScheduler"
    assert model.size_bytes == 4 * sum(
        weight.numel() for name in ("unet", "vae", "text_encoder", "text_encoder_2")
        for weight in getattr(model._pipeline, name).parameters()
    )  # fmt: skip
    steps: list[tuple[int, tuple[int, ...]]] = []
    picture = model.render(REQUEST, 0, lambda step, latents: steps.append((step, tuple(latents.shape))))
    assert picture.size == (64, 32)
    assert steps == [(step, (1, 4, 4, 8)) for step in (1, 2, 3)]
    again = model.render(REQUEST, 0, nothing)
    assert again.tobytes() == picture.tobytes()
    assert model.render(REQUEST, 1, nothing).tobytes() != picture.tobytes()
    plain = model._pipeline(
        "a red circle",
        width=64,
        height=32,
        num_inference_steps=3,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(1),
    ).images[0]
    assert plain.tobytes() == picture.tobytes()


def test_a_step_that_raises_ends_the_picture(models: Path, device: Any) -> None:
    class Enough(Exception):  # noqa: N818
        """Told by the step."""

    def stop(step: int, latents: Any) -> None:
        raise Enough

    with pytest.raises(Enough):
        load(models / "sdxl" / TINY, device).render(REQUEST, 0, stop)


@pytest.mark.parametrize("sampler", ["EulerDiscreteScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler"])
def test_previews_show_what_the_vae_will(models: Path, copy: Any, device: Any, sampler: str) -> None:
    folder = copy()
    index = json.loads((folder / "model_index.json").read_text())
    index["scheduler"][1] = sampler
    (folder / "model_index.json").write_text(json.dumps(index))
    model = load(folder, device)
    shots: list[Any] = []
    picture = model.render(REQUEST, 0, lambda step, latents: shots.append(latents))
    assert model.preview(1, shots[0], None, 96) is None
    early = model.preview(2, shots[1], shots[0], 96)
    last = model.preview(3, shots[2], shots[1], 96)
    assert early.size == last.size == (96, 48)
    assert last.resize((1, 1)).getpixel((0, 0)) == pytest.approx(picture.resize((1, 1)).getpixel((0, 0)), abs=30)


def pickled(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


def truncated(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])


def edited(folder: Path, value: object, name: str) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    index[name] = value
    (folder / "model_index.json").write_text(json.dumps(index))


def emptied(folder: Path) -> None:
    """Weights that are whole by themselves, of which most are not there."""
    from safetensors.torch import load_file, save_file

    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    save_file({name: weights[name] for name in list(weights)[:3]}, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda folder: shutil.rmtree(folder / "vae"), "vae"),
        (lambda folder: (folder / "model_index.json").unlink(), "model_index.json"),
        (lambda folder: (folder / "unet" / "config.json").write_text("{"), "unet/config.json"),
        (pickled, "safetensors"),
        (truncated, "unet/diffusion_pytorch_model.safetensors"),
        (lambda folder: edited(folder, ["diffusers_modules.local.evil", "UNet2DConditionModel"], "unet"), "unet"),
        (lambda folder: edited(folder, ["diffusers", "UNet3DConditionModel"], "unet"), "unet"),
        (lambda folder: edited(folder, ["diffusers", "DiffusionPipeline"], "scheduler"), "scheduler"),
        (lambda folder: edited(folder, "StableDiffusionPipeline", "_class_name"), "StableDiffusionPipeline"),
        (emptied, "weights"),
    ],
)
def test_what_is_missing_or_damaged_is_refused(
    copy: Any, device: Any, harm: Callable[[Path], None], reason: str
) -> None:
    folder = copy()
    harm(folder)
    with pytest.raises(ModelUnavailableError, match=reason):
        load(folder, device)


@pytest.mark.parametrize("name", ["absent", "../sdxl/tiny", "", "a/b"])
def test_a_name_leads_nowhere_else(models: Path, name: str) -> None:
    with pytest.raises(ModelUnavailableError):
        loader.find(models, name)


def test_the_cache_keeps_what_fits_and_evicts_what_was_used_longest_ago(copy: Any, device: Any) -> None:
    first = copy("first")
    models = first.parent.parent
    for name in ("second", "third"):
        copy(name)
    size = load(first, device).size_bytes
    before, device.memory_bytes = device.memory_bytes, int(size * 2.5)
    try:
        cache = ModelCache(models, device)
        for name in ("first", "second", "first", "third"):
            with cache.use(name) as model:
                assert model.name == name
        assert cache.names == ["first", "third"]
        with cache.use("first"):
            assert cache.shrink() == 1
            assert cache.names == ["first"]
        with cache.use("first") as old:
            pass
        shutil.rmtree(first)
        copy("first")
        with cache.use("first") as new:
            assert new is not old
    finally:
        device.memory_bytes = before
