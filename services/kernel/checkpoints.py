"""Whether a pipeline in diffusers' layout is whole, told from its files without loading it, and without torch."""

import json
import re
import struct
from pathlib import Path
from typing import Any

PIPELINES = ("StableDiffusionXLPipeline",)
"""The pipelines that the GPU worker runs."""
INDEX = "model_index.json"
COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
JSON_BYTES = 64 * 1024 * 1024
SAFETENSORS_HEADER_BYTES = 100_000_000
"""The format's own limit, https://github.com/huggingface/safetensors#format."""


class FaultError(Exception):
    """Why a model cannot be used, in a sentence for people."""


def check_pipeline(folder: Path) -> None:
    """Every component that `model_index.json` names has its configuration and whole weights.

    Raises:
        FaultError: what is wrong.
        OSError: a file cannot be read.
    """
    if not (folder / INDEX).exists():
        raise FaultError(f"{INDEX} is missing: this is no diffusers pipeline, or its copy is not complete")
    index = read_json(folder / INDEX, INDEX)
    pipeline = index.get("_class_name")
    components = {name: value for name, value in index.items() if not name.startswith("_") and _is_component(value)}
    if not components:
        raise FaultError(f"{INDEX} names no components")
    for name, (_, kind) in components.items():
        if not COMPONENT.fullmatch(name):
            raise FaultError(f"{INDEX} names a component {name!r}, which is no name of a folder")
        if kind is not None:
            _check_component(folder / name, kind)
    if pipeline not in PIPELINES:
        raise FaultError(f"Pipelines of the class {pipeline} are not rendered yet; {', '.join(PIPELINES)} is")


def _is_component(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(part is None or isinstance(part, str) for part in value)


def _check_component(folder: Path, kind: str) -> None:
    if not folder.is_dir():
        raise FaultError(f"The folder {folder.name}/ ({kind}) is missing")
    if "Tokenizer" in kind:
        _require(folder, ("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))
    elif "Scheduler" in kind:
        _require(folder, ("scheduler_config.json",))
    elif "FeatureExtractor" in kind or "ImageProcessor" in kind:
        _require(folder, ("preprocessor_config.json",))
    else:
        _require(folder, ("config.json",))
        _check_weights(folder)


def _require(folder: Path, *choices: tuple[str, ...]) -> None:
    """One of the choices must be there whole; what is JSON must be JSON."""
    for files in choices:
        if all((folder / name).is_file() for name in files):
            for name in files:
                if name.endswith(".json"):
                    read_json(folder / name, f"{folder.name}/{name}")
            return
    raise FaultError(f"{folder.name}/{choices[0][0]} is missing")


def _check_weights(folder: Path) -> None:
    files = sorted(folder.glob("*.safetensors"))
    for index in sorted(folder.glob("*.safetensors.index*.json")):
        shards = read_json(index, f"{folder.name}/{index.name}").get("weight_map")
        if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
            raise FaultError(f"{folder.name}/{index.name} has no weight_map")
        missing = sorted(set(shards.values()) - {file.name for file in files})
        if missing:
            raise FaultError(f"{folder.name}/{missing[0]} is missing: the weights are not complete")
    if not files:
        other = any(folder.glob("*.bin")) or any(folder.glob("*.ckpt"))
        why = "only weights that could run code (.bin, .ckpt) are there" if other else "the weights are missing"
        raise FaultError(f"{folder.name}/: {why}; safetensors are needed")
    for file in files:
        _check_safetensors(file)


def _check_safetensors(path: Path) -> None:
    """Reads the header alone: 8 bytes of length, JSON, and data as long as the JSON says."""
    name = f"{path.parent.name}/{path.name}"
    with path.open("rb") as file:
        start = file.read(8)
        size = path.stat().st_size
        (length,) = struct.unpack("<Q", start) if len(start) == 8 else (0,)
        if not 2 <= length <= min(SAFETENSORS_HEADER_BYTES, size - 8):
            raise FaultError(f"{name} is cut off or no safetensors file")
        header = file.read(length)
    try:
        tensors = json.loads(header)
        ends = [about["data_offsets"][1] for tensor, about in tensors.items() if tensor != "__metadata__"]
        expected = 8 + length + max(ends, default=0)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FaultError(f"{name} has a damaged header") from error
    if not ends:
        raise FaultError(f"{name} holds no tensors")
    if size != expected:
        raise FaultError(f"{name} has {size} bytes instead of {expected}: its copy is not complete")


def read_json(path: Path, name: str) -> dict[str, Any]:
    """A JSON object; `name` is what people call the file. Raises FaultError where it is none, OSError."""
    if path.stat().st_size > JSON_BYTES:
        raise FaultError(f"{name} is too large to be what it should be")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FaultError(f"{name} is not valid JSON") from error
    if not isinstance(value, dict):
        raise FaultError(f"{name} is not a JSON object")
    return value
