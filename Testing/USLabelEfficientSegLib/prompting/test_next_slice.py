"""Slices to draw next lie across each other first, then in the widest gap in mm."""

import numpy as np
import pytest

from USLabelEfficientSegLib.prompting.next_slice import Slice, next_on_coarse_grid, next_slice

SPACING = (1.0, 1.0, 1.0)


@pytest.fixture
def organ():
    voxels = np.zeros((60, 50, 40), bool)
    voxels[10:51, 10:31, 5:26] = True
    return voxels


def test_the_middle_of_the_organ_along_each_axis_comes_first(organ):
    assert next_slice(organ, [], SPACING) == (2, 15)
    assert next_slice(organ, [], SPACING, first_axis=1) == (1, 20)
    assert next_slice(organ, [(2, 15)], SPACING) == (0, 30)
    assert next_slice(organ, [(2, 15), (0, 30)], SPACING) == (1, 20)


def test_then_it_lies_in_the_widest_gap_between_a_drawn_slice_and_the_end(organ):
    drawn = [(2, 15), (0, 30), (1, 20)]

    found = next_slice(organ, drawn, SPACING)

    assert found is not None
    axis, index = found
    assert axis == 0  # the organ is longest along it
    assert index in range(14, 19) or index in range(42, 47)
    after = next_slice(organ, [*drawn, found], SPACING)
    assert after is not None and after[0] == 0
    assert (after[1] - 30) * (index - 30) < 0  # on the other side


def test_gaps_count_in_mm(organ):
    drawn = [(2, 15), (0, 30), (1, 20)]

    found = next_slice(organ, drawn, (1.0, 1.0, 5.0))

    assert found is not None and found[0] == 2


def test_it_stays_within_the_organ_and_is_new_until_no_gap_is_left(organ):
    drawn: list[Slice] = []
    while (found := next_slice(organ, drawn, SPACING)) is not None:
        assert found not in drawn
        assert np.moveaxis(organ, found[0], 0)[found[1]].any()
        drawn.append(found)

    for axis in range(3):
        first, last = np.flatnonzero(organ.any(axis=tuple(a for a in range(3) if a != axis)))[[0, -1]]
        numbers = sorted(number for of, number in drawn if of == axis)
        assert np.diff([first, *numbers, last]).max() <= 3


def test_an_organ_that_is_nowhere_has_no_slice():
    assert next_slice(np.zeros((4, 4, 4), bool), [], SPACING) is None


@pytest.mark.parametrize("drawn", [[], [(2, 15)], [(2, 15), (0, 30), (1, 20)], [(2, 15), (0, 30), (1, 20), (0, 44)]])
def test_an_organ_on_a_coarse_grid_is_drawn_next_as_nearly_as_the_grid_tells(organ, drawn):
    coarse = organ[::2, ::2, ::2]

    found = next_on_coarse_grid(coarse, drawn, organ.shape, SPACING)

    expected = next_slice(organ, drawn, SPACING)
    assert found is not None and expected is not None and found[0] == expected[0]
    assert abs(found[1] - expected[1]) <= 2 and found not in drawn
    assert next_on_coarse_grid(np.zeros_like(coarse), drawn, organ.shape, SPACING) is None
