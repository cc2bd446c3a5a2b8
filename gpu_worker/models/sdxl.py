"""Stable Diffusion XL by diffusers' own pipeline, from a folder in its own layout; no hub is ever asked.

The checkpoint may run no code: weights come as safetensors, the classes of the index are checked against the few that
this pipeline is made of, and what the index names besides is not looked at.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

os.environ["HF_HUB_OFFLINE"] = "1"  # read when diffusers is imported
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import diffusers
import torch
import transformers
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from PIL.Image import Image

from gpu_worker.models.device import Device
from gpu_worker.models.errors import ModelUnavailableError
from gpu_worker.models.model import OnStep, Place
from gpu_worker.models.previews import Previewer
from gpu_worker.request import TextToImage
from services.kernel.logs import get_logger

if TYPE_CHECKING:
    from gpu_worker.models import model

log = get_logger("sdxl")
transformers.utils.logging.disable_progress_bar()
PIPELINE = "StableDiffusionXLPipeline"
WEIGHTED: dict[str, Any] = {
    "unet": diffusers.UNet2DConditionModel,
    "vae": diffusers.AutoencoderKL,
    "text_encoder": transformers.CLIPTextModel,
    "text_encoder_2": transformers.CLIPTextModelWithProjection,
}
"""Loaded one by one, the largest first, each moved to the device before the next is read: in the processor's memory
lies never more than one of them."""
LIBRARIES = ("diffusers", "transformers")
TOKENIZERS = ("tokenizer", "tokenizer_2")
TOKENIZER_CLASSES = ("CLIPTokenizer", "CLIPTokenizerFast")
GONE = ("position_ids",)
"""Buffers that older checkpoints carry or miss and that newer classes compute."""


def load_sdxl(place: Place, device: "model.Device") -> "Sdxl":
    """Loads a checkpoint onto the device, in its precision.

    Raises:
        ModelUnavailableError: parts are missing, damaged or not what SDXL is made of.
        OSError: the folder cannot be read at the moment; the model may be all right.
    """
    try:
        return Sdxl(place.name, _pipeline(place, cast(Device, device)), cast(Device, device))
    except (torch.OutOfMemoryError, MemoryError, ModelUnavailableError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        # transformers and diffusers raise bare OSErrors for files that are missing or make no sense.
        raise ModelUnavailableError(place.name, _sentence(error)) from error
    except Exception as error:
        if isinstance(error, RuntimeError) and "size mismatch" not in str(error) and "shape" not in str(error):
            raise
        raise ModelUnavailableError(place.name, _sentence(error)) from error


def _pipeline(place: Place, device: Device) -> Any:
    index = _index(place)
    variant = _variant(place.folder, device)
    parts: dict[str, Any] = {}
    for name, kind in WEIGHTED.items():
        parts[name] = _weights(place, name, kind, variant, device)
    for name in TOKENIZERS:
        parts[name] = transformers.CLIPTokenizer.from_pretrained(place.folder / name, local_files_only=True)
    scheduler = getattr(diffusers, index["scheduler"][1])
    parts["scheduler"] = scheduler.from_pretrained(place.folder / "scheduler", local_files_only=True)
    pipeline = diffusers.StableDiffusionXLPipeline(
        **parts,
        force_zeros_for_empty_prompt=bool(index.get("force_zeros_for_empty_prompt", True)),
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    if device.torch.type == "cuda":
        # Only pictures larger than the VAE's own size are cut into tiles; whole they would not fit small GPUs.
        pipeline.vae.enable_tiling()
    return pipeline


def _index(place: Place) -> dict[str, Any]:
    index: dict[str, Any] = json.loads((place.folder / "model_index.json").read_text(encoding="utf-8"))
    if index.get("_class_name") != PIPELINE:
        raise ModelUnavailableError(place.name, f"it is a {index.get('_class_name')} and no {PIPELINE}")
    wanted = {name: (kind.__name__,) for name, kind in WEIGHTED.items()} | dict.fromkeys(TOKENIZERS, TOKENIZER_CLASSES)
    for name, classes in wanted.items():
        part = index.get(name)
        if not isinstance(part, list) or len(part) != 2 or part[0] not in LIBRARIES or part[1] not in classes:
            raise ModelUnavailableError(place.name, f"its {name} is {part} and no {classes[0]}")
    part = index.get("scheduler")
    kind = getattr(diffusers, str(part[1]), None) if isinstance(part, list) and len(part) == 2 else None
    if not isinstance(kind, type) or not issubclass(kind, SchedulerMixin):
        raise ModelUnavailableError(place.name, f"its scheduler {part} is none of diffusers'")
    return index


def _variant(folder: Path, device: Device) -> str | None:
    """Where both precisions lie side by side, the one that is needed: half the bytes to read."""
    if device.dtype != torch.float16:
        return None
    return "fp16" if all(any((folder / name).glob("*.fp16*.safetensors")) for name in WEIGHTED) else None


def _weights(place: Place, name: str, kind: Any, variant: str | None, device: Device) -> Any:
    model, about = kind.from_pretrained(
        place.folder / name,
        torch_dtype=device.dtype,
        use_safetensors=True,
        local_files_only=True,
        low_cpu_mem_usage=True,
        output_loading_info=True,
        **({"variant": variant} if variant else {}),
    )
    wrong = [key for key in about["missing_keys"] if not key.endswith(GONE)]
    wrong += [str(key) for key in about.get("mismatched_keys", ())]
    if wrong:
        raise ModelUnavailableError(place.name, f"{name} lacks {len(wrong)} of its weights, {wrong[0]} among them")
    return model.to(device.torch).eval().requires_grad_(False)


def _sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"its files make no sense ({lines[0][:160].rstrip('.')})"


class Sdxl:
    """A loaded SDXL checkpoint."""

    def __init__(self, name: str, pipeline: Any, device: Device) -> None:
        self.name = name
        self.sampler = type(pipeline.scheduler).__name__
        parts = [getattr(pipeline, part) for part in WEIGHTED]
        self.size_bytes = sum(weight.numel() * weight.element_size() for part in parts for weight in part.parameters())
        self._pipeline = pipeline
        self._device = device
        self._previewer = Previewer(pipeline.vae)

    def render(self, request: TextToImage, index: int, on_step: OnStep) -> Image:
        """Renders image `index` by itself: in a batch its bytes would depend on its neighbours."""

        def after_step(pipeline: Any, step: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            # A scheduler of second order comes here twice a step.
            on_step((step + 1) * request.steps // pipeline.num_timesteps, tensors["latents"])
            return {}

        # The generator is the processor's on every device, so that a seed means the same noise everywhere.
        generator = torch.Generator("cpu").manual_seed(request.seed_of(index))
        done = self._pipeline(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt or None,
            width=request.width,
            height=request.height,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            generator=generator,
            callback_on_step_end=after_step,
        )
        picture: Image = done.images[0]
        return picture

    def preview(self, step: int, latents: Any, earlier: Any, side: int) -> Image | None:
        return self._previewer.picture(self._pipeline.scheduler, step, latents, earlier, side)

    def close(self) -> None:
        del self._pipeline, self._previewer
