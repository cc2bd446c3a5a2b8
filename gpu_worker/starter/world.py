"""The small drawn world: a palette, eight flat shapes, and scenes of one or two of them.

A picture is `height x width x 3` float32 in 0..1. Lengths inside a scene are fractions of the canvas' shorter
side, positions are fractions of width and height, angles are degrees. What a caption leaves unsaid varies only
a little (a few per cent of size, place, angle and shade), so that a very small model can learn the world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

PALETTE: dict[str, tuple[int, int, int]] = {
    "red": (222, 38, 42),
    "orange": (246, 140, 30),
    "yellow": (250, 218, 54),
    "green": (44, 160, 74),
    "cyan": (60, 205, 215),
    "blue": (40, 84, 214),
    "purple": (132, 58, 182),
    "pink": (247, 150, 192),
    "brown": (122, 72, 40),
    "black": (24, 24, 28),
    "white": (248, 248, 248),
    "gray": (136, 140, 146),
}
COLOURS = tuple(PALETTE)
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross", "ring")
SIZES = ("small", "medium", "large")
NATIVE_SIZES = ((128, 128), (160, 96), (96, 160))

# Combinations no training picture and no training caption ever contains: they measure composition.
HELD_OUT = frozenset({
    ("red", "heart"), ("orange", "star"), ("yellow", "diamond"), ("green", "circle"), ("cyan", "triangle"),
    ("blue", "ring"), ("purple", "cross"), ("pink", "square"), ("brown", "heart"), ("black", "star"),
    ("white", "ring"), ("gray", "diamond"),
})  # fmt: skip

RADIUS = {"small": 0.14, "medium": 0.235, "large": 0.345}
PAIR_RADIUS = {"small": 0.115, "medium": 0.17, "large": 0.215}
MARGIN = 0.02


@dataclass(frozen=True)
class Thing:
    """One object: what it is, and where it was drawn."""

    shape: str
    colour: str
    size: str = "medium"
    column: int = 0  # -1 left, 0 centre, 1 right
    row: int = 0  # -1 top, 0 middle, 1 bottom
    x: float = 0.5
    y: float = 0.5
    radius: float = 0.235
    angle: float = 0.0
    shade: float = 1.0


@dataclass(frozen=True)
class Scene:
    """A background colour and its objects, in reading order (left to right, top to bottom)."""

    things: tuple[Thing, ...]
    background: str
    width: int = 128
    height: int = 128
    shade: float = 1.0


def _polygon(px: Array, py: Array, points: list[tuple[float, float]]) -> Array:
    """Signed distance to a closed polygon, negative inside."""
    distance = np.full_like(px, np.inf)
    inside = np.zeros(px.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        ex, ey, wx, wy = bx - ax, by - ay, px - ax, py - ay
        along = np.clip((wx * ex + wy * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        distance = np.minimum(distance, (wx - ex * along) ** 2 + (wy - ey * along) ** 2)
        if ay != by:
            inside ^= ((ay > py) != (by > py)) & (px < ax + ex * (py - ay) / ey)
    root = np.sqrt(distance)
    return np.where(inside, -root, root).astype(np.float32)


def _corners(count: int, radii: tuple[float, ...], turn: float = -90.0) -> list[tuple[float, float]]:
    """Corners of a (star) polygon: `count` of them, radii taken in turn."""
    angles = np.deg2rad(turn + 360.0 * np.arange(count) / count)
    return [(radii[i % len(radii)] * float(np.cos(a)), radii[i % len(radii)] * float(np.sin(a)))
            for i, a in enumerate(angles)]  # fmt: skip


def _box(px: Array, py: Array, half_width: float, half_height: float) -> Array:
    qx, qy = np.abs(px) - half_width, np.abs(py) - half_height
    outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
    return (outside + np.minimum(np.maximum(qx, qy), 0)).astype(np.float32)


def _heart(px: Array, py: Array) -> Array:
    """Two discs and the wedge below them, as one outline."""
    half = np.linspace(0.0, np.pi, 24)
    hx = 0.9 * np.sin(half) ** 3
    hy = -(13 * np.cos(half) - 5 * np.cos(2 * half) - 2 * np.cos(3 * half) - np.cos(4 * half)) / 15.5
    right = [(float(a), float(b)) for a, b in zip(hx, hy, strict=True)]
    return _polygon(px, py, right + [(-a, b) for a, b in right[-2:0:-1]])


_DISTANCE: dict[str, Callable[[Array, Array], Array]] = {
    "circle": lambda x, y: np.hypot(x, y) - np.float32(0.92),
    "square": lambda x, y: _box(x, y, 0.8, 0.8),
    "triangle": lambda x, y: _polygon(x, y, [(0.0, -0.9), (0.98, 0.78), (-0.98, 0.78)]),
    "star": lambda x, y: _polygon(x, y, _corners(10, (1.06, 0.46))),
    "heart": _heart,
    "diamond": lambda x, y: _polygon(x, y, [(0.0, -1.05), (0.72, 0.0), (0.0, 1.05), (-0.72, 0.0)]),
    "cross": lambda x, y: np.minimum(_box(x, y, 0.96, 0.31), _box(x, y, 0.31, 0.96)),
    "ring": lambda x, y: np.abs(np.hypot(x, y) - np.float32(0.7)) - np.float32(0.26),
}


def coverage(thing: Thing, width: int, height: int) -> Array:
    """How much of each pixel the object covers, `height x width` in 0..1 (anti-aliased over one pixel)."""
    scale = thing.radius * min(width, height)
    xs = (np.arange(width, dtype=np.float32) + 0.5 - thing.x * width) / scale
    ys = (np.arange(height, dtype=np.float32) + 0.5 - thing.y * height) / scale
    turn = np.deg2rad(thing.angle)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    result = np.zeros((height, width), dtype=np.float32)
    # Only the square around the object is worth the distance sums.
    near_x, near_y = np.flatnonzero(np.abs(xs) < 1.25), np.flatnonzero(np.abs(ys) < 1.25)
    if not (near_x.size and near_y.size):
        return result
    window = (slice(near_y[0], near_y[-1] + 1), slice(near_x[0], near_x[-1] + 1))
    gx, gy = np.meshgrid(xs[window[1]], ys[window[0]])
    distance = _DISTANCE[thing.shape](gx * cos + gy * sin, gy * cos - gx * sin) * np.float32(scale)
    result[window] = np.clip(0.5 - distance, 0.0, 1.0)
    return result


def paint(colour: str, shade: float = 1.0) -> Array:
    """A palette colour in 0..1, a little darker or lighter."""
    return np.clip(np.asarray(PALETTE[colour], dtype=np.float32) / 255 * np.float32(shade), 0, 1)


def draw(scene: Scene) -> Array:
    """The picture of a scene."""
    picture = np.empty((scene.height, scene.width, 3), dtype=np.float32)
    picture[:] = paint(scene.background, scene.shade)
    for thing in scene.things:
        mask = coverage(thing, scene.width, scene.height)[..., None]
        picture += mask * (paint(thing.colour, thing.shade) - picture)
    return picture


def place(thing: Thing, canvas: tuple[int, int], rng: np.random.Generator | None = None, pair: bool = False) -> Thing:
    """The same object with its place, size, angle and shade filled in, wholly inside the canvas.

    Without a generator it stands exactly where its words say.
    """
    short = min(canvas)
    scatter, angle, shade = ((0.0, 0.0, 0.0), 0.0, 1.0) if rng is None else (
        (rng.uniform(-0.07, 0.07), *rng.normal(0, 0.018, 2)), rng.uniform(-10, 10), rng.uniform(0.95, 1.05)
    )  # fmt: skip
    radius = (PAIR_RADIUS if pair else RADIUS)[thing.size] * (1 + scatter[0])

    def along(step: int, length: int, shift: float) -> float:
        room = 0.5 - (radius * 1.08 + MARGIN) * short / length
        centre = 0.5 + step * min(0.25 if pair else 0.31, room) + shift * short / length
        return float(np.clip(centre, 0.5 - room, 0.5 + room))

    x, y = along(thing.column, canvas[0], scatter[1]), along(thing.row, canvas[1], scatter[2])
    return replace(thing, x=x, y=y, radius=float(radius), angle=float(angle), shade=float(shade))


def _pick(rng: np.random.Generator, choices: tuple[str, ...], avoid: tuple[str, ...] = ()) -> str:
    left = [choice for choice in choices if choice not in avoid]
    return left[int(rng.integers(len(left)))]


def _kind(rng: np.random.Generator, avoid: tuple[str, ...], held_out: bool) -> tuple[str, str]:
    """A (colour, shape) pair from the training combinations, or from the held-out ones."""
    while True:
        colour, shape = _pick(rng, COLOURS, avoid), _pick(rng, SHAPES)
        if ((colour, shape) in HELD_OUT) == held_out:
            return colour, shape


def sample_scene(
    rng: np.random.Generator,
    canvas: tuple[int, int] = (128, 128),
    *,
    held_out: bool = False,
    things: int | None = None,
) -> Scene:
    """A random scene; `held_out` asks for combinations that training never shows, `things` for one or two."""
    pair = things == 2 if things else rng.random() < 0.3
    # White is drawn more often: it is the background of captions that name none.
    background = "white" if rng.random() < 0.2 else _pick(rng, COLOURS)
    if not pair:
        colour, shape = _kind(rng, (background,), held_out)
        size = "medium" if rng.random() < 0.5 else _pick(rng, SIZES)
        column, row = (0, 0) if rng.random() < 0.4 else (int(v) for v in rng.integers(-1, 2, 2))
        single = place(Thing(shape, colour, size, column, row), canvas, rng)
        return Scene((single,), background, *canvas, shade=float(rng.uniform(0.95, 1.05)))
    wide, tall = canvas
    stacked = rng.random() < (0.3 if wide == tall else 0.0 if wide > tall else 1.0)
    first, second = _kind(rng, (background,), held_out), _kind(rng, (background,), held_out)
    members = []
    for step, (colour, shape) in ((-1, first), (1, second)):
        size = "medium" if rng.random() < 0.7 else _pick(rng, SIZES)
        column, row = (0, step) if stacked else (step, 0)
        members.append(place(Thing(shape, colour, size, column, row), canvas, rng, pair=True))
    return Scene(tuple(members), background, *canvas, shade=float(rng.uniform(0.95, 1.05)))
