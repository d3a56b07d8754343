"""What a slice tells while somebody draws in it."""

import numpy as np

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED
from USLabelEfficientSegLib.annotation.strokes import told_by_strokes


def slice_with(*boxes, shape=(24, 20)):
    labels = np.zeros(shape, np.uint8)
    for label, rows, columns in boxes:
        labels[slice(*rows), slice(*columns)] = label
    return labels


def test_nothing_is_told_where_nothing_was_drawn():
    begun = slice_with((1, (3, 9), (4, 10)))
    assert told_by_strokes(begun, begun, begun) is None
    assert told_by_strokes(slice_with(), slice_with()) is None


def test_the_first_strokes_tell_what_they_are_and_nothing_of_the_rest():
    painted = slice_with((1, (3, 9), (4, 10)), (2, (12, 13), (2, 5)))
    told = told_by_strokes(painted, slice_with())
    np.testing.assert_array_equal(told, np.where(painted > 0, painted, UNLABELLED))


def test_far_from_strokes_and_from_what_was_expected_there_is_background():
    painted, expected = slice_with((1, (3, 5), (4, 6))), slice_with((2, (12, 15), (10, 13)))
    told = told_by_strokes(painted, slice_with(), expected)
    assert told is not None
    near = slice_with((1, (2, 6), (3, 7)), (1, (11, 16), (9, 14))) > 0
    np.testing.assert_array_equal(told[painted > 0], 1)
    np.testing.assert_array_equal(told == UNLABELLED, near & (painted == 0))
    assert not told[~near].any()


def test_what_was_erased_is_background_and_what_was_left_is_nobodys_word():
    begun = slice_with((1, (3, 9), (4, 10)))
    painted = slice_with((1, (3, 9), (4, 7)))
    told = told_by_strokes(painted, begun, begun)
    assert told is not None
    assert not told[3:9, 7:10].any() and (told[3:9, 4:7] == UNLABELLED).all() and not told[-5:].any()


def test_the_outline_may_lie_on_a_coarser_grid():
    painted = slice_with((1, (0, 4), (0, 4)), shape=(48, 40))
    expected = slice_with((1, (12, 13), (10, 11)), shape=(24, 20))
    told = told_by_strokes(painted, np.zeros_like(painted), expected)
    assert told is not None
    assert (told[22:28, 18:24] == UNLABELLED).all() and not told[30:].any() and not told[10:20].any()
