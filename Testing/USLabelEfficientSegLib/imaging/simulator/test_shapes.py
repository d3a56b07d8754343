"""Star-shaped bodies: their volume is exact and their surface is where the level is 1."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.simulator.anatomy import draw_shape
from USLabelEfficientSegLib.imaging.simulator.shapes import StarShape, separated


def ball(x: float, radius: float = 5.0) -> StarShape:
    return StarShape(np.array([x, 0.0, 0.0]), radius * np.eye(3), np.eye(3), np.zeros(3))


def bumpy(seed: int) -> StarShape:
    rng = np.random.default_rng(seed)
    centre, semi_axes, extent = (
        np.array([0.1, -0.2, 0.15]),
        np.array([0.8, 0.5, 0.55]),
        np.array([10.0, 10.0, 20.0]),
    )
    return draw_shape(centre, semi_axes, extent, rng, tilt_degrees=30, bumpiness=0.2)


def test_volume_of_an_ellipsoid_is_analytic() -> None:
    shape = StarShape(np.zeros(3), np.diag([3.0, 4.0, 5.0]), np.eye(3), np.zeros(3))
    assert shape.volume_mm3() == pytest.approx(4 / 3 * np.pi * 60, rel=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_quadrature_has_converged_on_bumpy_shapes(seed: int) -> None:
    shape = bumpy(seed)
    assert shape.volume_mm3(64) == pytest.approx(shape.volume_mm3(128), rel=1e-8)


def test_volume_agrees_with_a_fine_voxel_count() -> None:
    shape, step = bumpy(5), 0.3
    axis = np.arange(-24, 24, step)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).astype(np.float32)
    points = points[shape.near(points)]
    count = np.count_nonzero(shape.level(points) < 1)
    assert count * step**3 == pytest.approx(shape.volume_mm3(), rel=2e-3)


def test_level_is_one_on_the_surface_and_the_cheap_test_holds_it() -> None:
    shape = bumpy(7)
    np.testing.assert_allclose(shape.level(shape.surface()), 1, atol=1e-9)
    assert shape.near(shape.surface(order=40)).all()
    assert shape.near(shape.surface(margin_mm=2.0), margin_mm=2.0).all()


def test_separated_sees_gaps_overlap_and_containment() -> None:
    assert separated(ball(0), ball(12), margin_mm=1.0)
    assert not separated(ball(0), ball(12), margin_mm=3.0)
    assert not separated(ball(0), ball(8), margin_mm=0.0)
    assert not separated(ball(0), ball(0, radius=2.0), margin_mm=0.0)


def test_incidence_is_one_where_the_beam_is_normal() -> None:
    points = np.array([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    beams = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(ball(0).incidence(points, beams), [1, 0], atol=1e-12)
