"""Captions and the tokenizer: the words people type, and one token for each known one."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_worker.starter.captions import VOCABULARY, Writer, split_words, unknown_words
from gpu_worker.starter.export import EXAMPLES
from gpu_worker.starter.tokenizer import LENGTH, build
from gpu_worker.starter.world import COLOURS, HELD_OUT, SHAPES, Scene, Thing, sample_scene

pytestmark = pytest.mark.model


def test_captions_use_known_words_only_and_fit_the_text_encoders() -> None:
    rng = np.random.default_rng(0)
    writer, tokens = Writer(rng), build()
    texts = [writer.dress(writer.full(sample_scene(rng)), unknown=0) for _ in range(1500)]
    assert not {word for text in texts for word in unknown_words(text)}
    assert max(len(ids) for ids in tokens(texts).input_ids) < LENGTH


def test_a_full_caption_states_every_fact() -> None:
    scene = Scene((Thing("star", "yellow", "small", -1, -1),), "blue")
    rng = np.random.default_rng(0)
    for _ in range(200):
        words = split_words(Writer(rng).full(scene))
        assert {"star", "yellow", "left", "blue"} <= set(words)
        assert {"small", "little", "tiny"} & set(words)
        assert {"top", "upper"} & set(words)


def test_no_caption_names_a_held_out_combination() -> None:
    rng = np.random.default_rng(2)
    writer = Writer(rng)
    texts = " | ".join(writer.noun(thing) for _ in range(2000) for thing in sample_scene(rng).things)
    assert not [f"{colour} {shape}" for colour, shape in HELD_OUT if f" {colour} {shape}" in texts]


def test_hints_settle_only_what_they_name() -> None:
    rng = np.random.default_rng(3)
    writer = Writer(rng)
    for _ in range(200):
        scene = sample_scene(rng, things=1)
        hint = writer.hint(scene)
        assert hint.colour == (scene.things[0].colour in _canonical(hint.text) and hint.colour)
        assert sum((hint.colour, hint.shape, hint.place, hint.size, hint.background)) in {1, 2}


def _canonical(text: str) -> str:
    return text.replace("violet", "purple").replace("grey", "gray").replace("turquoise", "cyan")


def test_unknown_words_are_named_once_in_order() -> None:
    assert unknown_words("A red circle") == []
    assert unknown_words("Zebra on a BLUE zebra, café!") == ["zebra", "café"]
    assert unknown_words("4k 8K, high-quality art.") == []
    assert unknown_words("") == []


def test_every_known_word_is_one_token_and_survives_the_round_trip() -> None:
    tokens = build()
    assert set(COLOURS) | set(SHAPES) <= set(VOCABULARY)
    for word in VOCABULARY:
        ids = tokens(word).input_ids
        assert len(ids) == 3, word
        assert tokens.decode(ids, skip_special_tokens=True) == word


def test_unknown_words_fall_to_pieces_but_never_get_lost() -> None:
    tokens = build()
    for word in ("xylophone", "naïve", "日本", "🙂", "re-do"):
        ids = tokens(word).input_ids
        assert len(ids) > 3
        assert tokens.unk_token_id not in ids[1:-1]


def test_prompts_are_padded_to_the_length_of_the_encoders() -> None:
    ids = build()(["A Red Circle", "a red circle"], padding="max_length", max_length=LENGTH).input_ids
    assert ids[0] == ids[1]
    assert len(ids[0]) == LENGTH


def test_the_examples_use_known_words() -> None:
    assert not [word for prompt in EXAMPLES for word in unknown_words(prompt)]
