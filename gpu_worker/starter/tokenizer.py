"""A real CLIP tokenizer in which every known word is exactly one token."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any

from gpu_worker.starter.captions import VOCABULARY

LENGTH = 77
START, END = "<|startoftext|>", "<|endoftext|>"


def _byte_letters() -> list[str]:
    """The printable letters that byte-level BPE writes the 256 bytes with, in the order CLIP keeps them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + i) for i in range(len(hidden))]


def _apply(word: str, ranks: dict[tuple[str, str], int]) -> list[str]:
    """Byte-pair encoding of one word with the merges so far."""
    pieces = [*word[:-1], word[-1] + "</w>"]
    while True:
        pairs = [(ranks.get(pair, len(ranks)), i) for i, pair in enumerate(itertools.pairwise(pieces))]
        best, at = min(pairs, default=(len(ranks), 0))
        if best == len(ranks):
            return pieces
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]


def tables(words: tuple[str, ...] = VOCABULARY) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges. Each word is split by the merges before it, then its pieces are joined left to
    right; later merges rank lower, so they never break a word that came first."""
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = _apply(word, ranks)
        while len(pieces) > 1:
            ranks.setdefault((pieces[0], pieces[1]), len(ranks))
            pieces[:2] = [pieces[0] + pieces[1]]
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in ranks), START, END]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}, list(ranks)


@functools.cache
def build() -> Any:
    """The tokenizer: 77 tokens, padded with the end token, as both text encoders expect it."""
    from transformers import CLIPTokenizer

    vocabulary, merges = tables()
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)


def save(folder: Path) -> None:
    """Write the tokenizer with the slow format's files beside it, which other programs read."""
    import json

    vocabulary, merges = tables()
    build().save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
