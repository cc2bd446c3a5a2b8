"""The drawn world: scenes, drawing, and the judge measured on drawings whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_worker.starter.judge import compare, components, look, nearest_colour
from gpu_worker.starter.world import (
    COLOURS,
    HELD_OUT,
    NATIVE_SIZES,
    PALETTE,
    SHAPES,
    Scene,
    Thing,
    coverage,
    draw,
    paint,
    place,
    sample_scene,
)


def test_scenes_stay_inside_the_canvas_and_differ_from_their_background() -> None:
    rng = np.random.default_rng(0)
    for index in range(300):
        canvas = NATIVE_SIZES[index % 3]
        scene = sample_scene(rng, canvas)
        assert (scene.width, scene.height) == canvas
        for thing in scene.things:
            assert thing.colour != scene.background
            mask = coverage(thing, *canvas)
            assert mask.max() == 1
            assert not mask[[0, -1]].any()
            assert not mask[:, [0, -1]].any()


def test_training_never_sees_a_held_out_combination() -> None:
    rng = np.random.default_rng(1)
    seen = {(thing.colour, thing.shape) for _ in range(3000) for thing in sample_scene(rng).things}
    assert not seen & HELD_OUT
    assert len(seen) == len(COLOURS) * len(SHAPES) - len(HELD_OUT)
    asked = {(t.colour, t.shape) for _ in range(300) for t in sample_scene(rng, held_out=True).things}
    assert asked == HELD_OUT


def test_a_seed_fixes_a_scene() -> None:
    first, second = (sample_scene(np.random.default_rng(5)) for _ in range(2))
    assert first == second
    assert np.array_equal(draw(first), draw(second))


def test_edges_are_anti_aliased_and_the_rest_is_flat() -> None:
    picture = draw(Scene((place(Thing("circle", "red"), (128, 128)),), "blue"))
    assert np.allclose(picture[0, 0], paint("blue"))
    assert np.allclose(picture[64, 64], paint("red"))
    colours = np.unique(picture.reshape(-1, 3), axis=0)
    assert 2 < len(colours) < 400


@pytest.mark.parametrize("colour", COLOURS)
def test_each_shade_of_a_colour_is_still_that_colour(colour: str) -> None:
    assert len(PALETTE) == len(COLOURS)
    for shade in (0.95, 1.0, 1.05):
        assert nearest_colour(paint(colour, shade)) == colour


def test_components_are_counted_apart_and_sorted_by_size() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[0:2, 0:2] = mask[4:7, 3:8] = True
    mask[1, 5] = mask[2, 5] = mask[2, 6] = mask[1, 7] = mask[2, 7] = True  # a U is one region
    assert [int(region.sum()) for region in components(mask)] == [15, 5, 4]


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("canvas", NATIVE_SIZES)
def test_the_judge_agrees_with_drawn_truth(canvas: tuple[int, int], held_out: bool) -> None:
    rng = np.random.default_rng([9, *canvas])
    scenes = [sample_scene(rng, canvas, held_out=held_out) for _ in range(80)]
    verdicts = [compare(scene, look(draw(scene))) for scene in scenes]
    for fact in ("background", "colour", "shape", "count"):
        assert all(verdict[fact] for verdict in verdicts), fact
    assert np.mean([verdict["all"] for verdict in verdicts]) >= 0.985  # jitter can blur two neighbouring places


def test_the_judge_refuses_what_is_wrong() -> None:
    rng = np.random.default_rng(4)
    wanted = sample_scene(rng, things=1)
    thing = wanted.things[0]
    other = next(shape for shape in SHAPES if shape != thing.shape)
    drawn = Scene((replace(thing, shape=other),), wanted.background)
    right = compare(wanted, look(draw(drawn)))
    assert right["background"]
    assert right["colour"]
    assert not right["shape"]
    assert not right["all"]
    empty = compare(wanted, look(draw(Scene((), wanted.background))))
    assert empty["background"]
    assert not (empty["count"] or empty["colour"] or empty["shape"] or empty["position"])
