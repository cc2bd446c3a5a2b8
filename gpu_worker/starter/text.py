"""Two small CLIP text encoders, first taught to say what a caption states.

The pooled embedding of the second one *is* the list of facts (`facts`), so that the UNet gets shape, colour,
size and place apart from each other: that is what lets it draw combinations it has never seen. The hidden
states which cross-attention reads carry the same facts through a linear map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone knows
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from gpu_worker.starter import tokenizer
from gpu_worker.starter.captions import Caption, Writer
from gpu_worker.starter.common import Clock, Shards, device, log, mixed, save_state
from gpu_worker.starter.world import COLOURS, NATIVE_SIZES, SHAPES, SIZES, Array, Scene, sample_scene

BATCH = 128
STEPS = 2500
LEARNING_RATE = 1e-3
SLOT = 1 + len(SHAPES) + len(COLOURS) + len(SIZES) + 6
FACTS = 2 * SLOT + len(COLOURS)
SCALE = 2.0  # a stated fact is 2, anything else 0: about unit variance where it matters
WIDTHS = (64, 128)


def facts(scene: Scene, caption: Caption) -> Array:
    """What the caption says about the scene: two object slots and the background, one-hot, `FACTS` long."""
    row = np.zeros(FACTS, dtype=np.float32)
    for slot, thing in enumerate(scene.things):
        offset = slot * SLOT
        row[offset] = 1
        offset += 1
        if caption.shape:
            row[offset + SHAPES.index(thing.shape)] = 1
        offset += len(SHAPES)
        if caption.colour:
            row[offset + COLOURS.index(thing.colour)] = 1
        offset += len(COLOURS)
        if caption.size:
            row[offset + SIZES.index(thing.size)] = 1
        offset += len(SIZES)
        if caption.place:
            row[[offset + 1 + thing.column, offset + 4 + thing.row]] = 1
    if caption.background:
        row[2 * SLOT + COLOURS.index(scene.background)] = 1
    return row * np.float32(SCALE)


def build() -> tuple[Any, Any]:
    """Both encoders, untrained; the word embeddings start wide apart, for a small model has few steps to part them."""
    tokens = tokenizer.build()
    encoders = []
    kinds = ((CLIPTextModel, "quick_gelu"), (CLIPTextModelWithProjection, "gelu"))
    for width, (kind, act) in zip(WIDTHS, kinds, strict=True):
        config = CLIPTextConfig(
            vocab_size=len(tokens), hidden_size=width, intermediate_size=4 * width, num_hidden_layers=3,
            num_attention_heads=4, max_position_embeddings=tokenizer.LENGTH, hidden_act=act, projection_dim=FACTS,
            bos_token_id=tokens.bos_token_id, eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id,
            attn_implementation="sdpa",
        )  # fmt: skip
        model = kind(config)
        torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.5)
        encoders.append(model)
    return encoders[0], encoders[1]


def tokenize(texts: list[str]) -> torch.Tensor:
    """Token numbers, `n x 77`, padded and cut as the pipeline does it."""
    batch = tokenizer.build()(texts, padding="max_length", truncation=True, max_length=tokenizer.LENGTH)
    return torch.tensor(batch.input_ids).to(device())


def encode(encoders: tuple[Any, Any], ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the pipeline gives the UNet: the context `n x 77 x 192` and the pooled embedding `n x FACTS`."""
    first = encoders[0](ids, output_hidden_states=True)
    second = encoders[1](ids, output_hidden_states=True)
    return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], -1), second.text_embeds


def _batch(rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    writer, texts, targets = Writer(rng), [], []
    for _ in range(size):
        scene = sample_scene(rng, NATIVE_SIZES[int(rng.integers(3))])
        caption = writer.caption(scene)
        target = facts(scene, caption)
        text = caption.text
        if rng.random() < 0.03:  # nothing said, or nothing but unknown words
            text = " ".join(writer.gibberish() for _ in range(int(rng.integers(4))))
            target = np.zeros_like(target)
        texts.append(text)
        targets.append(target)
    return tokenize(texts), torch.from_numpy(np.stack(targets)).to(device())


def _loss(modules: Any, ids: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Squared error of the facts read from the pooled embedding and from both hidden states at the end token."""
    *encoders, first_head, second_head = modules
    end = (ids == tokenizer.build().eos_token_id).int().argmax(1)
    # Attention looks back only, so the padding after the longest caption changes nothing here.
    with mixed():
        context, pooled = encode((encoders[0], encoders[1]), ids[:, : int(end.max()) + 1])
    first, second = torch.split(context.float()[torch.arange(len(ids)), end], list(WIDTHS), -1)
    aside = F.mse_loss(first_head(first), target) + F.mse_loss(second_head(second), target)
    return F.mse_loss(pooled.float(), target) + 0.5 * aside


@torch.no_grad()
def wrong_facts(encoders: tuple[Any, Any], rng: np.random.Generator, count: int = 256) -> float:
    """The share of fresh captions from which the pooled embedding reads anything wrong."""
    ids, target = _batch(rng, count)
    pooled = encode(encoders, ids)[1]
    return ((pooled > SCALE / 2) != (target > SCALE / 2)).any(1).float().mean().item()


def train(path: Path, minutes: float, seed: int = 1) -> None:
    """Teach both encoders to state the facts, from the pooled embedding and from the penultimate hidden states."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoders = build()
    heads = [torch.nn.Linear(width, FACTS) for width in WIDTHS]
    modules = torch.nn.ModuleList([*encoders, *heads]).to(device())
    optimizer = torch.optim.AdamW(modules.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.01)
    shards = Shards(modules)
    clock, step = Clock(minutes, STEPS), 0
    while (progress := clock.progress(step)) < 1:
        ids, target = _batch(rng, BATCH)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 100) * max(0.02, 1 - progress)
        optimizer.zero_grad(set_to_none=True)
        loss = shards.backward(_loss, ids, target)
        torch.nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            log(f"text {step} loss {loss:.4f}, captions with a wrong fact {wrong_facts(encoders, rng):.1%}")
    save_state(path, {"encoders": [encoder.state_dict() for encoder in encoders]})


def load(path: Path) -> tuple[Any, Any]:
    """The taught encoders, in evaluation mode on the training device."""
    encoders = build()
    for encoder, state in zip(encoders, torch.load(path, weights_only=True)["encoders"], strict=True):
        encoder.load_state_dict(state)
        encoder.to(device()).eval().requires_grad_(False)
    return encoders
