"""Labelled slices go through a small file from one process to another."""

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.slice_labels_file import read_slice_labels, write_slice_labels
from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED, LabelledSlice
from USLabelEfficientSegLib.errors import InputError

SHAPE = (4, 5, 6)
ORGANS = ("a", "b")


def test_slices_of_all_axes_come_back(tmp_path):
    across = {LabelledSlice(0, 3): np.full((5, 6), 1, np.uint8), LabelledSlice(2, 0): np.full((4, 5), 2, np.uint8)}
    write_slice_labels(tmp_path / "slices.npz", across)

    found = read_slice_labels(tmp_path / "slices.npz", SHAPE, ORGANS)
    assert list(found) == list(across)
    for one, labels in across.items():
        np.testing.assert_array_equal(found[one], labels)


def test_a_slice_that_is_drawn_in_part_comes_back(tmp_path):
    strokes = np.full((5, 6), UNLABELLED, np.uint8)
    strokes[2, 1:4], strokes[0, 0] = 1, 0
    write_slice_labels(tmp_path / "slices.npz", {LabelledSlice(0, 3): strokes})

    (found,) = read_slice_labels(tmp_path / "slices.npz", SHAPE, ORGANS).values()
    np.testing.assert_array_equal(found, strokes)


def test_a_volume_without_a_labelled_slice_has_a_file_all_the_same(tmp_path):
    write_slice_labels(tmp_path / "slices.npz", {})
    assert read_slice_labels(tmp_path / "slices.npz", SHAPE, ORGANS) == {}


@pytest.mark.parametrize(
    ("axis", "index", "labels"),
    [
        (3, 0, np.zeros((5, 6), np.uint8)),
        (0, 4, np.zeros((5, 6), np.uint8)),
        (0, -1, np.zeros((5, 6), np.uint8)),
        (0, 0, np.zeros((6, 5), np.uint8)),
        (0, 0, np.zeros((1, 1), np.uint8)),
        (0, 0, np.full((5, 6), 3, np.uint8)),
        (0, 0, np.zeros((5, 6), np.float32)),
    ],
)
def test_slices_that_do_not_fit_are_refused(tmp_path, axis, index, labels):
    write_slice_labels(tmp_path / "slices.npz", {LabelledSlice(axis, index): labels})
    with pytest.raises(InputError, match="holds no labelled slices of this volume"):
        read_slice_labels(tmp_path / "slices.npz", SHAPE, ORGANS)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"not a file of numpy"])
def test_a_missing_or_damaged_file_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "slices.npz").write_bytes(content)
    with pytest.raises(InputError, match="holds no labelled slices of this volume"):
        read_slice_labels(tmp_path / "slices.npz", SHAPE, ORGANS)
