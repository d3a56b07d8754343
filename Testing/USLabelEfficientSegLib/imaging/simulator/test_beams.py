"""Sector geometry: image points and beam coordinates agree."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.simulator.beams import BeamGrid, Sector, draw_sector

EXTENT = np.array([80.0, 90.0, 60.0])


def sector(seed: int = 0) -> Sector:
    return draw_sector(EXTENT, np.random.default_rng(seed))


def test_grid_points_have_their_own_beam_coordinates() -> None:
    grid = BeamGrid(sector(), (20, 9, 7))
    depth, lateral, elevation = grid.sector.to_beam(grid.points().astype(np.float64))
    np.testing.assert_allclose(depth, np.broadcast_to(grid.depths[:, None, None], grid.shape), atol=1e-4)
    angles = np.linspace(-1, 1, 9) * grid.sector.lateral_half_angle
    np.testing.assert_allclose(lateral, np.broadcast_to(angles[None, :, None], grid.shape), atol=1e-5)
    angles = np.linspace(-1, 1, 7) * grid.sector.elevation_half_angle
    np.testing.assert_allclose(elevation, np.broadcast_to(angles[None, None, :], grid.shape), atol=1e-5)


def test_image_points_find_their_grid_index() -> None:
    grid = BeamGrid(sector(), (20, 9, 7))
    inner = grid.points()[1:-1, 1:-1, 1:-1]
    index, inside = grid.from_image(inner)
    assert inside.all()
    expected = np.stack(np.meshgrid(*(np.arange(1, n - 1) for n in grid.shape), indexing="ij")).reshape(3, -1)
    np.testing.assert_allclose(index, expected, atol=2e-3)


@pytest.mark.parametrize("extent", [(40.0, 50.0, 300.0), (150.0, 60.0, 40.0), (60.0, 200.0, 60.0)])
def test_images_of_any_proportions_are_mostly_sector(extent: tuple[float, float, float]) -> None:
    drawn = draw_sector(np.array(extent), np.random.default_rng(0))
    axes = [np.linspace(0, length, 40) for length in extent]
    assert drawn.contains(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)).mean() > 0.4


def test_beams_diverge_and_the_sector_spans_the_depth_of_the_image() -> None:
    for seed in range(5):
        grid = BeamGrid(sector(seed), (30, 20, 10))
        assert grid.beam_spacing(1)[-1] > 1.5 * grid.beam_spacing(1)[0]
        points = grid.points()
        assert 0 < points[..., 1].min() < 0.1 * EXTENT[1]
        assert 0.95 * EXTENT[1] < points[..., 1].max() < EXTENT[1]
