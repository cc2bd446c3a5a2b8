"""The models folder: whole models are available, and each fault has a reason that a person understands."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from services.kernel.catalogue import Entry, ModelsFolderMissingError, Scanner, read, unknown_words
from tests.support.models import ABOUT, write_model

NAME = "tiny"
Damage = Callable[[Path], object]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_model(tmp_path, NAME)
    return tmp_path


def entry(models: Path) -> Entry:
    return read(models, "sdxl", NAME)


def test_a_whole_model_is_available(models: Path) -> None:
    (found,) = Scanner(models).scan()
    assert found.reason is None
    row = found.row
    assert (row["path"], row["title"], row["base"], row["licence"]) == ("sdxl/tiny", "Tiny", "sdxl", "CC0-1.0")
    assert row["available"] is True
    assert row["defaults"] == {
        "width": 128,
        "height": 96,
        "steps": 12,
        "guidance_scale": 4.5,
        "native_sizes": [[128, 128], [128, 96]],
        "max_side": 256,
        "vocabulary": ["red", "circle"],
        "examples": ["a red circle"],
        "reason": None,
    }


def test_a_model_that_says_nothing_of_itself_gets_the_defaults_of_sdxl(models: Path) -> None:
    (models / "sdxl" / NAME / "pingvas.json").unlink()
    row = entry(models).row
    assert row["available"] is True
    assert (row["title"], row["licence"]) == (NAME, "unknown")
    defaults = row["defaults"]
    assert (defaults["width"], defaults["height"], defaults["steps"], defaults["guidance_scale"]) == (1024, 1024, 30, 7)
    assert defaults["vocabulary"] is None


def test_sizes_may_be_written_with_an_x(models: Path) -> None:
    about = ABOUT | {"default_size": "128x96", "native_sizes": ["128x128", [128, 96]]}
    (models / "sdxl" / NAME / "pingvas.json").write_text(json.dumps(about))
    assert entry(models).row["defaults"]["native_sizes"] == [[128, 128], [128, 96]]


def cut(path: Path, to: int) -> None:
    path.write_bytes(path.read_bytes()[:to])


def header(path: Path, text: bytes) -> None:
    path.write_bytes(struct.pack("<Q", len(text)) + text)


UNET = "unet/diffusion_pytorch_model.safetensors"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "no index": (lambda f: (f / "model_index.json").unlink(), "model_index.json is missing"),
    "index cut off": (lambda f: cut(f / "model_index.json", 40), "model_index.json is not valid JSON"),
    "index is a list": (lambda f: (f / "model_index.json").write_text("[]"), "model_index.json is not a JSON object"),
    "index of nothing": (lambda f: (f / "model_index.json").write_text("{}"), "names no components"),
    "metadata broken": (lambda f: (f / "pingvas.json").write_text("{"), "pingvas.json is not valid JSON"),
    "metadata wrong": (lambda f: (f / "pingvas.json").write_text('{"default_steps": 0}'), "default_steps"),
    "size no multiple of 8": (
        lambda f: (f / "pingvas.json").write_text('{"default_size": [100, 100]}'),
        "default_size",
    ),
    "component missing": (lambda f: shutil.rmtree(f / "vae"), r"folder vae/ \(AutoencoderKL\) is missing"),
    "config missing": (lambda f: (f / "unet/config.json").unlink(), "unet/config.json is missing"),
    "config broken": (lambda f: (f / "unet/config.json").write_text("{,}"), "unet/config.json is not valid JSON"),
    "scheduler broken": (
        lambda f: (f / "scheduler/scheduler_config.json").unlink(),
        "scheduler_config.json is missing",
    ),
    "tokenizer half": (lambda f: (f / "tokenizer/merges.txt").unlink(), "tokenizer/tokenizer.json is missing"),
    "weights missing": (lambda f: (f / UNET).unlink(), "unet/: the weights are missing"),
    "only pickles": (lambda f: (f / UNET).rename(f / "unet/model.bin"), "could run code"),
    "weights cut off": (lambda f: cut(f / UNET, 70), "bytes instead of"),
    "weights cut off in the header": (lambda f: cut(f / UNET, 20), "cut off"),
    "weights empty": (lambda f: cut(f / UNET, 0), "cut off"),
    "weights longer": (lambda f: (f / UNET).write_bytes((f / UNET).read_bytes() + b"x"), "bytes instead of"),
    "header no JSON": (lambda f: header(f / UNET, b"{" * 9), "damaged header"),
    "header of nonsense": (lambda f: header(f / UNET, b'{"a": 5}'), "damaged header"),
    "header a list": (lambda f: header(f / UNET, b"[1, 2, 3]"), "damaged header"),
    "no tensors": (lambda f: header(f / UNET, b'{"__metadata__": {}}'), "no tensors"),
    "a page of HTML": (lambda f: (f / UNET).write_text("<html>not found</html>" * 9), "no safetensors file"),
    "a shard is missing": (
        lambda f: (f / "unet/x.safetensors.index.json").write_text('{"weight_map": {"a": "x-2.safetensors"}}'),
        "x-2.safetensors is missing",
    ),
    "climbs out": (
        lambda f: (f / "model_index.json").write_text('{"../../etc": ["diffusers", "VAE"]}'),
        "no name of a folder",
    ),
    "another pipeline": (
        lambda f: (f / "model_index.json").write_text(
            json.dumps({"_class_name": "FluxPipeline", "scheduler": ["diffusers", "EulerDiscreteScheduler"]})
        ),
        "FluxPipeline",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_says_what_is_wrong(models: Path, name: str) -> None:
    damage, reason = DAMAGES[name]
    damage(models / "sdxl" / NAME)
    found = entry(models)
    assert found.reason is not None
    assert str(models) not in found.reason
    with pytest.raises(ValueError, match=reason):
        raise ValueError(found.reason)
    assert found.row["available"] is False
    assert found.row["defaults"]["reason"] == found.reason


def test_an_optional_component_may_be_null(models: Path) -> None:
    path = models / "sdxl" / NAME / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"feature_extractor": [None, None]}))
    assert entry(models).reason is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_a_reason(models: Path) -> None:
    (models / "sdxl" / NAME / UNET).chmod(0)
    assert "cannot be read" in str(entry(models).reason)


def test_a_file_where_a_folder_should_be_is_a_reason(models: Path) -> None:
    shutil.rmtree(models / "sdxl" / NAME / "unet")
    (models / "sdxl" / NAME / "unet").write_text("x")
    assert "unet" in str(entry(models).reason)


def test_the_scanner_notices_changes_and_only_those(models: Path) -> None:
    scanner = Scanner(models)
    (before,) = scanner.scan()
    assert scanner.scan()[0] is before
    (models / "sdxl" / NAME / UNET).unlink()
    (after,) = scanner.scan()
    assert "weights are missing" in str(after.reason)
    write_model(models, NAME)
    assert scanner.scan()[0].reason is None
    shutil.rmtree(models / "sdxl" / NAME)
    assert scanner.scan() == []


def test_kinds_names_and_strangers(models: Path) -> None:
    write_model(models, "other", kind="stable-diffusion")
    write_model(models, NAME, kind="flux")
    (models / "lora" / "style").mkdir(parents=True)
    (models / "sdxl" / ".cache").mkdir()
    (models / "sdxl" / "no name!").mkdir()
    (models / "sdxl" / "readme.txt").write_text("x")
    (models / "elsewhere" / "x").mkdir(parents=True)
    found = {one.path: one.reason for one in Scanner(models).scan()}
    assert set(found) == {"stable-diffusion/other", "sdxl/tiny", "lora/style"}
    assert found["sdxl/tiny"] is None
    assert found["lora/style"] == "Models of the kind lora are not rendered yet"
    assert found["stable-diffusion/other"] == "Models of the kind stable-diffusion are not rendered yet"


def test_no_folder_is_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(ModelsFolderMissingError):
        Scanner(tmp_path / "nowhere").scan()
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelsFolderMissingError):
        Scanner(tmp_path / "file").scan()
    assert Scanner(tmp_path).scan() == []


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a red circle", []),
        ("A RED Circle!", []),
        ("a red fox, a fox", ["fox"]),
        ("röt circle", ["röt"]),
        ("red_circle", []),
        ("", []),
    ],
)
def test_unknown_words(prompt: str, unknown: list[str]) -> None:
    assert unknown_words(prompt, ["a", "red", "circle"]) == unknown
    assert unknown_words(prompt, None) == []
