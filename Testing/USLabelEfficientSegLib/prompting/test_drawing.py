"""In how many slices somebody has drawn, and what the drawing says of each organ."""

import numpy as np
import pytest

from USLabelEfficientSegLib.prompting.drawing import OpenEnds, Told, drawn_slices, how_much, signs_of


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

    assert how_much(nothing, 1).slices == pytest.approx(1 + (8 / 56) ** 0.5)


def test_of_nothing_no_slice_is_drawn(nothing):
    assert drawn_slices(nothing) == how_much(nothing, 1).slices == 0


def test_a_voxel_that_was_drawn_in_part_counts_in_part(nothing):
    nothing[0, 0, :2] = 1, 0
    signs = signs_of(nothing, 1, (6, 7, 4))

    assert signs[0, 0, 0] == 0 and np.count_nonzero(signs) == 0
    nothing[0, 0, 1] = 255
    assert signs_of(nothing, 1, (6, 7, 4))[0, 0, 0] == pytest.approx(1)
    assert signs_of(nothing, 2, (6, 7, 4))[0, 0, 0] == pytest.approx(-1)


def _draw(voxels, axis, index, organ):
    """Label a slice, in which the organ has 4 pixels or none."""
    plane = np.moveaxis(voxels, axis, 0)[index]
    plane[:] = 0
    plane[2:4, 2:4] = organ


@pytest.mark.parametrize(
    ("slices", "told"),
    [
        ([(2, 3, 1)], Told.ONE_SLICE),
        ([(2, 3, 1), (2, 5, 1)], Told.PARALLEL),
        ([(2, 3, 1), (2, 5, 1), (2, 7, 0)], Told.PARALLEL),  # it may still go on below
        ([(2, 0, 0), (2, 3, 1), (2, 7, 0)], Told.EXTENT),
        ([(2, 3, 1), (0, 2, 1)], Told.EXTENT),
        ([(2, 3, 1), (0, 2, 1), (1, 3, 1)], Told.THREE_AXES),
        ([(2, 3, 0)], Told.STROKES),  # a slice without the organ tells nothing of its extent
    ],
)
def test_slices_tell_of_the_extent_of_an_organ(nothing, slices, told):
    for axis, index, organ in slices:
        _draw(nothing, axis, index, organ)

    assert how_much(nothing, 2).told[0] == told
    assert how_much(nothing, 2).told[1] == Told.STROKES


def test_parallel_slices_leave_the_ends_open_where_none_shows_that_the_organ_has_ended(nothing):
    for index, organ in ((1, 1), (4, 1), (6, 0)):
        _draw(nothing, 2, index, organ)

    assert how_much(nothing, 1).ends == (OpenEnds(axis=2, first=1, last=4, below=True, above=False, area=4),)


def test_slices_across_each_other_leave_no_ends_open(nothing):
    _draw(nothing, 2, 3, 1)
    _draw(nothing, 1, 3, 1)

    assert how_much(nothing, 1).ends == (None,)
