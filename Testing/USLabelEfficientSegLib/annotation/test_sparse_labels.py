from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice, SparseLabels, classes_in
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry

GEOMETRY = Geometry((4, 5, 6), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), np.eye(3))
ORGANS = ("prostate", "bladder")


@pytest.fixture
def labels() -> SparseLabels:
    return SparseLabels.unlabelled(GEOMETRY, ORGANS)


@pytest.fixture
def dense() -> SparseLabels:
    voxels = np.random.default_rng(0).integers(0, 3, GEOMETRY.shape, dtype=np.uint8)
    return SparseLabels(voxels, GEOMETRY, ORGANS)


def test_nothing_is_labelled_at_first(labels: SparseLabels) -> None:
    assert labels.labelled_slices() == []
    assert not labels.is_dense
    assert (labels.voxels == 255).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_labelled_slice_is_found_on_its_axis_only(labels: SparseLabels, axis: int) -> None:
    shape = tuple(np.delete(GEOMETRY.shape, axis))
    content = np.random.default_rng(axis).integers(0, 3, shape)
    labels.set_slice(axis, 2, content)
    assert labels.labelled_slices() == [LabelledSlice(axis, 2)]
    assert labels.labelled_slices(axis) == [LabelledSlice(axis, 2)]
    assert labels.labelled_slices((axis + 1) % 3) == []
    assert np.array_equal(labels.voxels.take(2, axis), content)
    assert (labels.voxels == 255).sum() == labels.voxels.size - content.size


def test_slice_without_an_organ_counts_as_labelled(labels: SparseLabels) -> None:
    labels.set_slice(2, 3, np.zeros((4, 5), dtype=np.uint8))
    assert labels.labelled_slices() == [LabelledSlice(2, 3)]


def test_clearing_keeps_what_crossing_slices_label(labels: SparseLabels) -> None:
    labels.set_slice(2, 1, np.ones((4, 5), dtype=np.uint8))
    labels.set_slice(2, 4, np.ones((4, 5), dtype=np.uint8))
    labels.set_slice(0, 3, np.full((5, 6), 2, dtype=np.uint8))
    labels.clear_slice(2, 1)
    assert labels.labelled_slices() == [LabelledSlice(0, 3), LabelledSlice(2, 4)]
    assert (labels.voxels[3] == 2).all()
    assert (labels.voxels[:3, :, 1] == 255).all()
    labels.clear_slice(0, 3)
    assert labels.labelled_slices() == [LabelledSlice(2, 4)]
    assert (labels.voxels[3, :, 4] == 2).all(), "the later label of the crossing voxels"
    assert (labels.voxels == 255).sum() == labels.voxels.size - 20


def test_slice_of_a_dense_volume_is_cleared_as_a_whole(dense: SparseLabels) -> None:
    assert dense.is_dense
    dense.clear_slice(1, 2)
    assert (dense.voxels[:, 2] == 255).all()
    assert dense.labelled_slices(1) == [LabelledSlice(1, index) for index in (0, 1, 3, 4)]
    assert dense.labelled_slices(0) == dense.labelled_slices(2) == []


def test_kept_slices_are_all_that_remains(dense: SparseLabels) -> None:
    kept = dense.keep_slices(2, [0, 5])
    assert kept.labelled_slices() == [LabelledSlice(2, 0), LabelledSlice(2, 5)]
    assert np.array_equal(kept.voxels[..., [0, 5]], dense.voxels[..., [0, 5]])
    assert (kept.voxels[..., 1:5] == 255).all()
    assert dense.is_dense


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((5, 4)), r"axial, slice 2 of 6: has \(4, 5\) pixels, its labels \(5, 4\)"),
        (np.full((4, 5), 3), "hold class 3, but there are only 2 organs"),
        (np.full((4, 5), 255), "labels outside 0..254"),
        (np.full((4, 5), -1), "labels outside 0..254"),
    ],
)
def test_wrong_slice_labels_are_refused(labels: SparseLabels, content: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        labels.set_slice(2, 1, content.astype(np.int64))
    assert (labels.voxels == 255).all()


def test_wrong_volumes_are_refused() -> None:
    with pytest.raises(InputError, match="only 1 organs"):
        SparseLabels(np.full(GEOMETRY.shape, 2, dtype=np.uint8), GEOMETRY, ("prostate",))
    with pytest.raises(InputError, match="uint8 labels of the volume's shape"):
        SparseLabels(np.zeros((4, 5, 5), dtype=np.uint8), GEOMETRY, ORGANS)
    with pytest.raises(InputError, match="are int16"):
        SparseLabels(np.zeros(GEOMETRY.shape, dtype=np.int16), GEOMETRY, ORGANS)


def test_labels_are_validated_against_their_volume(labels: SparseLabels, dense: SparseLabels) -> None:
    dense.validate("case", GEOMETRY)
    with pytest.raises(InputError, match="label of case: has no labelled slice"):
        labels.validate("case", GEOMETRY)
    moved = replace(GEOMETRY, origin=(0.0, 0.0, 1.0))
    with pytest.raises(InputError, match="label of case: has another geometry than its image"):
        dense.validate("case", moved)


def test_classes_are_the_organs_that_occur() -> None:
    voxels = np.zeros((2, 3, 4), dtype=np.uint8)
    voxels[0, 0, 0], voxels[1, 2, 3], voxels[1, 0] = 7, 2, 255
    assert classes_in(voxels) == [2, 7]
