"""A judge without a model: what a picture shows, measured against the drawn world itself.

The background is the palette colour nearest to the median of the picture's border. Pixels far from it are
objects; each connected one gets the palette colour nearest to its median, and the shape whose drawn template,
fitted to the object's bounding box at a few small angles, overlaps it best.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_worker.starter.world import COLOURS, PALETTE, SHAPES, SIZES, Array, Scene, Thing, coverage, place

Mask = NDArray[np.bool_]
TEMPLATE = 40  # pixels each way
ANGLES = (-10.0, -5.0, 0.0, 5.0, 10.0)
FAINT = 0.11  # distance from the background, in RGB of 0..1, that counts as something drawn
MIN_AREA = 0.004  # of the picture: smaller specks are not objects


@dataclass(frozen=True)
class Seen:
    """One object as measured: `x` and `y` are the bounding box's centre and `extent` half its mean side,
    as fractions of width, height and the shorter side."""

    shape: str
    colour: str
    overlap: float
    area: float
    x: float
    y: float
    extent: float


@dataclass(frozen=True)
class Verdict:
    """What a picture shows: the background and the objects, largest first."""

    background: str
    things: tuple[Seen, ...]


def nearest_colour(rgb: Array) -> str:
    """The palette colour closest to a colour in 0..1."""
    palette = np.asarray([PALETTE[colour] for colour in COLOURS], dtype=np.float32) / 255
    return COLOURS[int(np.argmin(((palette - rgb) ** 2).sum(1)))]


def components(mask: Mask) -> list[Mask]:
    """Connected regions (four neighbours), largest first."""
    parents = [0]

    def root(label: int) -> int:
        while parents[label] != label:
            label = parents[label]
        return label

    labels = np.zeros(mask.shape, dtype=np.int64)
    for y, row in enumerate(mask):
        for x in np.flatnonzero(row):
            up = labels[y - 1, x] if y else 0
            left = labels[y, x - 1] if x else 0
            if up and left:
                a, b = root(int(up)), root(int(left))
                parents[max(a, b)] = labels[y, x] = min(a, b)
            elif up or left:
                labels[y, x] = up or left
            else:
                parents.append(len(parents))
                labels[y, x] = len(parents) - 1
    flat = np.asarray([root(label) for label in range(len(parents))])[labels]
    regions = [flat == label for label in np.unique(flat) if label]
    return sorted(regions, key=lambda region: -int(region.sum()))


def _fit(mask: Mask, size: int = TEMPLATE) -> tuple[Mask, float]:
    """A region's bounding box stretched to `size` x `size`, and the box's width over its height."""
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = mask[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    rows = ((np.arange(size) + 0.5) * box.shape[0] / size).astype(int)
    columns = ((np.arange(size) + 0.5) * box.shape[1] / size).astype(int)
    return box[np.ix_(rows, columns)], box.shape[1] / box.shape[0]


@functools.cache
def templates() -> tuple[tuple[str, Mask, float], ...]:
    """Every shape at every angle, fitted to its bounding box."""
    drawn = []
    for shape in SHAPES:
        for angle in ANGLES:
            mask = coverage(Thing(shape, "black", radius=0.4, angle=angle), 200, 200) > 0.5
            drawn.append((shape, *_fit(mask)))
    return tuple(drawn)


def name_shape(mask: Mask) -> tuple[str, float]:
    """The best template's shape and its overlap (intersection over union, less what the box is out of shape)."""
    fitted, aspect = _fit(mask)
    best = ("circle", -1.0)
    for shape, template, template_aspect in templates():
        union = int((fitted | template).sum())
        overlap = int((fitted & template).sum()) / union if union else 0.0
        overlap -= 0.5 * abs(float(np.log(aspect / template_aspect)))
        if overlap > best[1]:
            best = (shape, overlap)
    return best


def look(picture: Array) -> Verdict:
    """Judge a picture, `height x width x 3` in 0..1."""
    border = np.concatenate([picture[:2].reshape(-1, 3), picture[-2:].reshape(-1, 3),
                             picture[:, :2].reshape(-1, 3), picture[:, -2:].reshape(-1, 3)])  # fmt: skip
    ground = np.median(border, axis=0)
    distance = np.sqrt(((picture - ground) ** 2).sum(2))
    seen = []
    for rough in components(distance > FAINT):
        if rough.mean() < MIN_AREA:
            break
        # Half way between the background and the object: the true edge of an anti-aliased shape.
        full = float(np.quantile(distance[rough], 0.6))
        region, core = rough & (distance > 0.5 * full), rough & (distance > 0.8 * full)
        shape, overlap = name_shape(region)
        colour = nearest_colour(np.median(picture[core], axis=0))
        seen.append(Seen(shape, colour, overlap, float(region.mean()), *_measure(region)))
    return Verdict(nearest_colour(ground), tuple(seen))


def _measure(mask: Mask) -> tuple[float, float, float]:
    """Centre and half mean side of a region's bounding box, as `Seen` has them."""
    height, width = mask.shape
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    extent = float(len(xs) + len(ys)) / 4 / min(width, height)
    return float(xs[0] + xs[-1] + 1) / 2 / width, float(ys[0] + ys[-1] + 1) / 2 / height, extent


@functools.cache
def _placements(shape: str, canvas: tuple[int, int]) -> tuple[tuple[str, int, int, float, float, float], ...]:
    """Where each size and place of the caption's words would put a single object."""
    result = []
    for size in SIZES:
        for column in (-1, 0, 1):
            for row in (-1, 0, 1):
                thing = place(Thing(shape, "black", size, column, row), canvas)
                result.append((size, column, row, *_measure(coverage(thing, *canvas) > 0.5)))
    return tuple(result)


def placement(seen: Seen, shape: str, canvas: tuple[int, int]) -> tuple[str, int, int]:
    """The size, column and row whose exact drawing lies nearest to what was measured."""

    def miss(nominal: tuple[str, int, int, float, float, float]) -> float:
        x, y, extent = nominal[3:]
        return (seen.x - x) ** 2 + (seen.y - y) ** 2 + 4 * (seen.extent - extent) ** 2

    return min(_placements(shape, canvas), key=miss)[:3]


def compare(scene: Scene, verdict: Verdict) -> dict[str, bool]:
    """Which of the caption's facts a picture got right. Objects are matched in reading order."""
    count = len(scene.things)
    across = scene.things[0].row == 0 or count == 1
    things = sorted(verdict.things[:count], key=lambda thing: thing.x if across else thing.y)
    right = {"background": verdict.background == scene.background, "count": len(verdict.things) == count}
    met = len(things) == count
    right["colour"] = met and all(a.colour == b.colour for a, b in zip(things, scene.things, strict=True))
    right["shape"] = met and all(a.shape == b.shape for a, b in zip(things, scene.things, strict=True))
    if count == 1:
        wanted = scene.things[0]
        found = placement(things[0], wanted.shape, (scene.width, scene.height)) if met else ("", 9, 9)
        right["size"], right["position"] = found[0] == wanted.size, found[1:] == (wanted.column, wanted.row)
    else:
        apart = (abs(things[0].x - things[1].x), abs(things[0].y - things[1].y)) if met else (0.0, 0.0)
        right["position"] = met and (apart[0] > apart[1]) == across
    right["all"] = all(right.values())
    return right
