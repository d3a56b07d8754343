"""Beyond the outermost of parallel slices an organ becomes less likely."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.prompting.drawing import OpenEnds
from USLabelEfficientSegLib.prompting.open_ends import beyond_ends

GEOMETRY = Geometry((20, 30, 40), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
ENDS = OpenEnds(axis=2, first=10, last=29, below=True, above=True, area=900)


def test_only_voxels_beyond_the_outermost_slices_are_moved():
    moved = beyond_ends(ENDS, GEOMETRY, (20, 30, 40))

    assert moved.shape == (1, 1, 40)
    assert (moved[0, 0, :10] < 0).all() and (moved[0, 0, 10:30] == 0).all() and (moved[0, 0, 30:] < 0).all()


def test_a_coarse_voxel_is_beyond_if_its_centre_is():
    moved = beyond_ends(ENDS, GEOMETRY, (20, 30, 8))  # centres at 2, 7, 12, ...

    assert np.flatnonzero(moved[0, 0] < 0).tolist() == [0, 1, 6, 7]


def test_an_end_that_a_slice_shows_stays_as_it_is():
    moved = beyond_ends(OpenEnds(2, 10, 29, below=False, above=True, area=900), GEOMETRY, (20, 30, 40))

    assert (moved[0, 0, :30] == 0).all() and (moved[0, 0, 30:] < 0).all()


def test_the_more_of_its_width_the_slices_span_the_less_goes_on():
    near = OpenEnds(2, 18, 20, below=True, above=True, area=900)  # 4 of 34 mm
    far = beyond_ends(ENDS, GEOMETRY, (20, 30, 40))[0, 0, 0]

    assert beyond_ends(near, GEOMETRY, (20, 30, 40))[0, 0, 0] == pytest.approx(
        -5 * 4 / (0.8 * 2 * np.sqrt(900 / np.pi))
    )
    assert far == pytest.approx(-5)


def test_a_single_slice_moves_nothing():
    alone = OpenEnds(0, 9, 9, below=True, above=True, area=900)

    assert not beyond_ends(alone, GEOMETRY, (20, 30, 40)).any()
    assert beyond_ends(ENDS, GEOMETRY, (20, 30, 40)).any()


def test_distances_are_in_millimetres():
    ends, thick = (
        OpenEnds(2, 18, 20, True, True, 900),
        Geometry((20, 30, 40), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), np.eye(3)),
    )

    one, other = (beyond_ends(ends, geometry, (20, 30, 40))[0, 0, 0] for geometry in (GEOMETRY, thick))
    assert other == pytest.approx(2 * one)


def test_without_parallel_slices_nothing_is_moved():
    assert beyond_ends(None, GEOMETRY, (20, 30, 40)).tolist() == [[[0]]]
