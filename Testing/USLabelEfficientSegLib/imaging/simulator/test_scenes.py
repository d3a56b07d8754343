"""Random scenes: repeatable, varied, with bodies that are where they are said to be."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.simulator.scene_shapes import draw_shape, random_rotation
from USLabelEfficientSegLib.imaging.simulator.scenes import draw_scene

SEEDS = range(60)


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng(seed), 32) for seed in SEEDS]


def test_the_same_seed_draws_the_same_scene_and_another_one_another(scenes):
    again = draw_scene(np.random.default_rng(0), 32)

    assert np.array_equal(again.image, scenes[0].image) and np.array_equal(again.bodies, scenes[0].bodies)
    assert not np.array_equal(scenes[0].image, scenes[1].image)


def test_grey_values_are_finite_and_lie_between_black_and_white(scenes):
    for scene in scenes:
        assert scene.image.dtype == np.float32 and scene.image.shape == scene.bodies.shape == (32, 32, 32)
        assert np.isfinite(scene.image).all() and scene.image.min() >= 0 and scene.image.max() <= 1
        assert scene.image.std() > 0.02  # there is something to see


def test_bodies_are_numbered_as_they_were_drawn(scenes):
    for scene in scenes:
        assert scene.bodies.max() <= scene.count <= 7


def test_bodies_are_tiny_and_large_and_lie_anywhere(scenes):
    sizes, centres = [], []
    for scene in scenes:
        for number in np.unique(scene.bodies[scene.bodies > 0]):
            organ = scene.bodies == number
            sizes.append(organ.mean())
            centres.append(np.argwhere(organ).mean(axis=0) / 32)
    assert np.quantile(sizes, 0.1) < 0.004 and np.quantile(sizes, 0.9) > 0.04
    assert np.std(centres, axis=0).min() > 0.12


def test_bodies_differ_from_what_is_around_them_in_most_scenes_and_not_in_all(scenes):
    """Some organs are plain to see and some are not: both are what ultrasound is like."""
    contrasts = []
    for scene in scenes:
        number = np.bincount(scene.bodies[scene.bodies > 0], minlength=2).argmax()
        organ = scene.bodies == number
        if 50 < organ.sum() < 20_000:
            contrasts.append(abs(scene.image[organ].mean() - scene.image[~organ].mean()) / scene.image.std())
    assert np.mean(np.array(contrasts) > 0.5) > 0.4
    assert np.mean(np.array(contrasts) < 0.5) > 0.1


def test_the_distance_of_a_shape_is_negative_inside_and_grows_outwards():
    for seed in SEEDS:
        shape = draw_shape(np.random.default_rng(seed), 32)

        assert shape.distance.shape == tuple(side.stop - side.start for side in shape.box)
        assert np.isfinite(shape.distance).all()
        assert all(0 <= side.start < side.stop <= 32 for side in shape.box)


def test_rotations_are_rotations():
    for seed in range(5):
        rotation = random_rotation(np.random.default_rng(seed))

        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
