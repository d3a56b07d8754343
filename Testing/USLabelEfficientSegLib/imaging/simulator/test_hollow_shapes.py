"""Thin bodies: exact volumes, distances from both sides of a wall, and bounds that hold them."""

from __future__ import annotations

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.simulator.hollow_shapes import Shell, Tube
from USLabelEfficientSegLib.imaging.simulator.shapes import Shape, StarShape, separated

STEP = 0.5
BUMPS, HEIGHTS = np.array([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]), np.array([0.3, -0.2])
WALL = Shell(StarShape(np.full(3, 24.0), np.diag([14.0, 12.0, 16.0]), BUMPS, HEIGHTS), 3.0)
BALL = Shell(StarShape(np.full(3, 24.0), np.diag([15.0, 15.0, 15.0]), np.zeros((0, 3)), np.zeros(0)), 4.0)
TUBE = Tube(np.array([[24.0, 22.0, 24.0], [3.0, 2.0, 15.0], [-4.0, 3.0, 0.0]]), 4.0)


def points() -> np.ndarray:
    axis = np.arange(STEP / 2, 48, STEP, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


@pytest.mark.parametrize("shape", [WALL, TUBE])
def test_the_exact_volume_is_that_of_the_points_inside(shape: Shape) -> None:
    inside = shape.level(points()) < 1
    assert np.count_nonzero(inside) * STEP**3 == pytest.approx(shape.volume_mm3(), rel=0.01)
    assert shape.near(points())[inside].all()


def test_a_straight_tube_is_a_cylinder_with_two_half_balls() -> None:
    straight = Tube(np.array([[9.0, 9.0, 20.0], [0.0, 0.0, 10.0]]), 2.0)
    assert straight.volume_mm3() == pytest.approx(np.pi * 4 * 20 + 4 / 3 * np.pi * 8)
    np.testing.assert_allclose(straight.centre, [9, 9, 20])
    assert np.abs(straight.level(straight.surface())).max() == pytest.approx(1, abs=0.01)


def test_a_wall_has_a_surface_on_either_side() -> None:
    along = np.array([24.0 + r for r in (16.0, 15.0, 13.0, 11.0, 9.0, 0.5)], np.float32)
    here = np.stack([along, np.full(6, 24, np.float32), np.full(6, 24, np.float32)], axis=-1)
    level = BALL.level(here)
    np.testing.assert_allclose(BALL.distance(here, level)[:5], [1, 0, -2, 0, 2], atol=1e-3)
    assert (level[[0, 4, 5]] > 1).all() and level[2] == pytest.approx(0, abs=1e-4)
    assert BALL.volume_mm3() == pytest.approx(4 / 3 * np.pi * (15**3 - 11**3))


def test_sound_meets_a_tube_at_right_angles_from_above_and_grazes_its_sides() -> None:
    straight = Tube(np.array([[9.0, 9.0, 20.0], [0.0, 0.0, 10.0]]), 2.0)
    here = np.array([[9.0, 6.5, 20.0], [11.5, 9.0, 20.0]], np.float32)
    down = np.broadcast_to(np.array([0.0, 1.0, 0.0], np.float32), here.shape)
    np.testing.assert_allclose(straight.incidence(here, down), [1, 0], atol=0.02)


def test_bodies_of_different_kinds_keep_apart() -> None:
    beside = Tube(TUBE.path + np.array([[14.0, 0, 0], [0, 0, 0], [0, 0, 0]]), 4.0)
    assert separated(TUBE, beside, 1.0)
    assert not separated(TUBE, beside, 8.0)
    assert not separated(TUBE, WALL, 0.0)
