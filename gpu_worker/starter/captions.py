"""Scenes in words: how people ask for them, and which words the model knows."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from gpu_worker.starter.world import COLOURS, SHAPES, Scene, Thing

COLOUR_WORDS = {colour: (colour,) for colour in COLOURS} | {
    "purple": ("purple", "violet"),
    "gray": ("gray", "grey"),
    "cyan": ("cyan", "turquoise"),
}
SHAPE_WORDS = {shape: (shape,) for shape in SHAPES} | {
    "circle": ("circle", "disc", "disk", "dot"),
    "square": ("square", "box"),
    "diamond": ("diamond", "rhombus"),
    "cross": ("cross", "plus"),
    "ring": ("ring", "donut", "hoop"),
}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "medium": ("medium",), "large": ("large", "big", "huge")}
COLUMN_WORDS = {-1: ("left",), 1: ("right",)}
ROW_WORDS = {-1: ("top", "upper"), 1: ("bottom", "lower")}
CENTRE_WORDS = ("centre", "center", "middle")
PREFIXES = (
    "a photo of", "a picture of", "a drawing of", "an image of", "an illustration of", "a painting of", "draw",
    "there is", "show me", "please draw", "make", "create", "generate", "i want", "photo of", "picture of",
)  # fmt: skip
FILLERS = (
    "beautiful", "detailed", "simple", "clean", "minimal", "flat", "vector", "art", "style", "masterpiece",
    "best quality", "high quality", "digital art", "cute", "nice", "sharp", "icon", "logo", "very", "highly",
    "hd", "4k", "8k", "realistic", "pretty", "modern", "abstract", "geometric", "bright", "colorful", "only",
    "vibrant", "crisp", "isolated", "plain", "solid",
)  # fmt: skip
FUNCTION_WORDS = (
    "a", "an", "and", "the", "on", "in", "at", "of", "to", "with", "it", "is", "that", "against", "over",
    "side", "corner", "background", "backdrop", "shape", "round", "sized", "size", "coloured", "colored",
    "next", "beside", "above", "below", "under", "one", "two", "shapes", "placed", "scene", "colour", "color",
    "aligned", "near", "from", "for", "by", "no", "not",
)  # fmt: skip


def _words() -> tuple[str, ...]:
    groups = [*COLOUR_WORDS.values(), *SHAPE_WORDS.values(), *SIZE_WORDS.values(), *COLUMN_WORDS.values(),
              *ROW_WORDS.values(), CENTRE_WORDS, PREFIXES, FILLERS, FUNCTION_WORDS]  # fmt: skip
    return tuple(dict.fromkeys(word for group in groups for text in group for word in split_words(text)))


def split_words(text: str) -> list[str]:
    """The words of a prompt in lower case, without punctuation; a digit stands alone, as the tokenizer has it."""
    return re.findall(r"[^\W\d_]+|\d", text.lower())


VOCABULARY = _words()


def unknown_words(prompt: str) -> list[str]:
    """The words of a prompt that the model has never learned, in order, each once."""
    return list(dict.fromkeys(word for word in split_words(prompt) if word not in VOCABULARY))


@dataclass(frozen=True)
class Caption:
    """A text, and which facts of its scene it settles (the others are anybody's guess)."""

    text: str
    colour: bool = True
    shape: bool = True
    place: bool = True
    size: bool = True
    background: bool = True


class Writer:
    """Writes captions; every choice comes from one generator, so a seed fixes them all."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        """True this often."""
        return bool(self.rng.random() < probability)

    def pick(self, choices: tuple[str, ...]) -> str:
        """Any of the choices, the first one twice as likely as each other one."""
        index = int(self.rng.integers(len(choices) + 1))
        return choices[index % len(choices)]

    def where(self, thing: Thing) -> str:
        """A phrase for the place of a single object; empty when it may stay unsaid."""
        if thing.column == thing.row == 0:
            if not self.chance(0.2):
                return ""
            return f"{self.pick(('in the', 'at the', 'in'))} {self.pick(CENTRE_WORDS)}"
        column = self.pick(COLUMN_WORDS[thing.column]) if thing.column else ""
        row = self.pick(ROW_WORDS[thing.row]) if thing.row else ""
        if column and row:
            spot = f"{row} {column}"
            return self.pick((f"at the {spot}", f"in the {spot}", f"in the {spot} corner", f"at {spot}", spot,
                              f"on the {spot}", f"in the {row.strip()} {column} of the picture"))  # fmt: skip
        if column:
            return self.pick((f"on the {column}", f"at the {column}", f"to the {column}", f"on the {column} side",
                              f"{column} side", f"in the {column}", f"on the middle {column}"))  # fmt: skip
        plain = "top" if thing.row < 0 else "bottom"
        return self.pick((f"at the {plain}", f"on the {plain}", f"at {plain}", f"in the {plain}",
                          f"at the {plain} center", f"near the {plain}", plain))  # fmt: skip

    def noun(self, thing: Thing, colour: bool = True, shape: bool = True, article: bool = True) -> str:
        """A noun phrase such as "a small red circle"."""
        size = ""
        if thing.size != "medium" or self.chance(0.08):
            size = self.pick(SIZE_WORDS[thing.size])
            if self.chance(0.06):
                size += " sized"
        kind = self.pick(SHAPE_WORDS[thing.shape]) if shape else "shape"
        if shape and thing.shape == "circle" and self.chance(0.15):
            kind = self.pick(("round shape", "round circle", "round disc"))
        tint = self.pick(COLOUR_WORDS[thing.colour]) if colour else ""
        if tint and self.chance(0.05):
            tint += " " + self.pick(("colored", "coloured"))
        order = [size, tint, kind] if self.chance(0.93) else [tint, size, kind]
        filler = self.pick(FILLERS[:24]) if self.chance(0.05) else ""
        words = " ".join(word for word in [filler, *order] if word)
        if not article:
            return words
        determiner = self.pick(("a", "the", "one")) if self.chance(0.2) else "an" if words[0] in "aeiou" else "a"
        return f"{determiner} {words}"

    def ground(self, scene: Scene) -> str:
        """A phrase for the background."""
        tint = self.pick(COLOUR_WORDS[scene.background])
        article = "an" if tint[0] in "aeiou" else "a"
        return self.pick((f"on {article} {tint} background", f"on {article} {tint} background", f"on {tint} background",
                          f"against {article} {tint} background", f"with {article} {tint} background", f"on {tint}",
                          f"over {article} {tint} background", f"{tint} background", f"on the {tint} background",
                          f"the background is {tint}", f"with {tint} backdrop"))  # fmt: skip

    def may_omit_ground(self, scene: Scene) -> bool:
        """Captions without a background mean white, or gray behind a white object."""
        white = any(thing.colour == "white" for thing in scene.things)
        return scene.background == ("gray" if white else "white")

    def pair(self, first: Thing, second: Thing) -> str:
        """Two objects: bare ("a and b") means left and right."""
        article = self.chance(0.85)
        a, b = self.noun(first, article=article), self.noun(second, article=article)
        if first.row:
            spots = f"{a} at the top and {b} at the bottom", f"{b} at the bottom and {a} at the top"
            return self.pick((f"{a} above {b}", f"{b} below {a}", f"{a} over {b}", f"{b} under {a}", *spots))
        return self.pick((f"{a} and {b}", f"{a} and {b}", f"{a} next to {b}", f"{a} beside {b}", f"{a} with {b}",
                          f"{a} on the left and {b} on the right", f"{b} on the right and {a} on the left",
                          f"{a} to the left of {b}", f"{b} to the right of {a}", f"{a}, {b}",
                          f"two shapes: {a} and {b}"))  # fmt: skip

    def full(self, scene: Scene) -> str:
        """A caption that says all there is to say."""
        ground = "" if self.may_omit_ground(scene) and self.chance(0.5) else self.ground(scene)
        if len(scene.things) == 2:
            body = self.pair(*scene.things)
        else:
            thing = scene.things[0]
            body, spot = self.noun(thing, article=self.chance(0.85)), self.where(thing)
            if spot:
                front = self.chance(0.12)
                comma = ", " if self.chance(0.2) else " "
                body = f"{spot}{comma}{body}" if front else f"{body}{comma}{spot}"
        if not ground:
            return body
        if self.chance(0.12):
            return f"{ground}, {body}" if self.chance(0.7) else f"{ground} with {body}"
        return f"{body}{', ' if self.chance(0.3) else ' '}{ground}"

    def tags(self, scene: Scene) -> str:
        """A single object as a list of tags: "star, yellow, small, top left, white background"."""
        thing = scene.things[0]
        parts = [self.pick(SHAPE_WORDS[thing.shape]), self.pick(COLOUR_WORDS[thing.colour])]
        parts += [self.pick(SIZE_WORDS[thing.size])] if thing.size != "medium" else []
        parts += [spot] if (spot := self.where(thing)) else []
        if not self.may_omit_ground(scene) or self.chance(0.5):
            parts.append(f"{self.pick(COLOUR_WORDS[scene.background])} background")
        order = self.rng.permutation(len(parts))
        return ", ".join(parts[i] for i in order)

    def hint(self, scene: Scene) -> Caption:
        """One or two bare words ("red", "top left, small"): the usual stuff of negative prompts."""
        thing = scene.things[0]
        texts = {
            "colour": self.pick(COLOUR_WORDS[thing.colour]),
            "shape": self.pick(SHAPE_WORDS[thing.shape]),
            "size": self.pick(SIZE_WORDS[thing.size]),
            "place": self.where(thing) or self.pick(CENTRE_WORDS),
            "background": f"{self.pick(COLOUR_WORDS[scene.background])} background",
        }
        names = [str(name) for name in self.rng.permutation(list(texts))][: 1 if self.chance(0.6) else 2]
        if {"colour", "shape"} <= set(names):
            names = names[:1]
        text = self.pick((", ", " ")).join(texts[name] for name in names)
        return Caption(text, **{name: name in names for name in texts})

    def vague(self, scene: Scene) -> Caption:
        """A whole sentence about one object that leaves out its colour or its shape."""
        thing = scene.things[0]
        colour = self.chance(0.5)
        parts = [self.noun(thing, colour=colour, shape=not colour), self.where(thing)]
        if not self.may_omit_ground(scene) or self.chance(0.5):
            parts.append(self.ground(scene))
        return Caption(" ".join(part for part in parts if part), colour=colour, shape=not colour)

    def caption(self, scene: Scene) -> Caption:
        """Any caption for a scene, dressed as people type it."""
        if len(scene.things) == 1:
            kind = self.rng.random()
            if kind < 0.05:
                return self.hint(scene)
            if kind < 0.10:
                return self.vague(scene)
            if kind < 0.18:
                return Caption(self.dress(self.tags(scene)))
        return Caption(self.dress(self.full(scene)))

    def dress(self, text: str, unknown: float = 0.12) -> str:
        """Add what people add: a beginning, style words, words from elsewhere, capitals, a full stop."""
        if self.chance(0.15):
            text = f"{self.pick(PREFIXES)} {text}"
        if self.chance(0.12):
            count = int(self.rng.integers(1, 4))
            text = ", ".join([text, *(self.pick(FILLERS) for _ in range(count))])
        while self.chance(unknown):
            words = text.split(" ")
            spot = len(words) if self.chance(0.5) else int(self.rng.integers(len(words) + 1))
            text = " ".join([*words[:spot], self.gibberish(), *words[spot:]])
        if self.chance(0.15):
            text = text.upper() if self.chance(0.2) else text.capitalize() if self.chance(0.6) else text.title()
        return text + "." if self.chance(0.08) else text

    def gibberish(self) -> str:
        """A word that nobody knows: it stands for all the real words that the model never learns."""
        while True:
            length = int(self.rng.integers(2, 10))
            pool = "bcdfghjklmnprstvwz", "aeiouy"
            start = int(self.rng.integers(2))
            word = "".join(pool[(start + i) % 2][int(self.rng.integers(len(pool[(start + i) % 2])))]
                           for i in range(length))  # fmt: skip
            if word not in VOCABULARY:
                return word
