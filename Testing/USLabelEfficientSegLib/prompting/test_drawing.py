"""In how many slices somebody has drawn, and what the drawing says of each organ."""

import numpy as np
import pytest

from USLabelEfficientSegLib.prompting.drawing import drawn_share, drawn_slices, signs_of


@pytest.fixture
def nothing():
    return np.full((6, 7, 8), 255, np.uint8)


def test_whole_slices_of_any_axis_count_once_where_they_cross(nothing):
    nothing[:, :, 3], nothing[2], nothing[:, 5] = 0, 1, 0

    assert drawn_slices(nothing) == 3


def test_strokes_count_as_the_fewest_slices_that_hold_them(nothing):
    nothing[1:4, 2, 3] = 1
    nothing[1:4, 4, 3] = 0

    assert drawn_slices(nothing) == 1


def test_strokes_beside_whole_slices_count_too(nothing):
    nothing[:, :, 3] = 0
    nothing[1, 2, 5:7] = 1

    assert drawn_slices(nothing) == 2


def test_strokes_count_as_the_root_of_what_they_cover(nothing):
    nothing[:, :, 3] = 0
    nothing[1, ::2, 5:7] = 1  # 8 voxels; the largest slice has 56

    assert drawn_share(nothing) == pytest.approx(1 + (8 / 56) ** 0.5)


def test_of_nothing_no_slice_is_drawn(nothing):
    assert drawn_slices(nothing) == drawn_share(nothing) == 0


def test_a_voxel_that_was_drawn_in_part_counts_in_part(nothing):
    nothing[0, 0, :2] = 1, 0
    signs = signs_of(nothing, 1, (6, 7, 4))

    assert signs[0, 0, 0] == 0 and np.count_nonzero(signs) == 0
    nothing[0, 0, 1] = 255
    assert signs_of(nothing, 1, (6, 7, 4))[0, 0, 0] == pytest.approx(1)
    assert signs_of(nothing, 2, (6, 7, 4))[0, 0, 0] == pytest.approx(-1)
