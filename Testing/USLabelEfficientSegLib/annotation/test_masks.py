"""255 is the organ in a mask and unlabelled in sparse labels."""

import warnings

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.label_files import read_volume_labels
from USLabelEfficientSegLib.annotation.masks import is_mask
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap

SHAPE = (12, 14, 10)
GRID = Geometry(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def ball(radius=3.0):
    centre = np.array(SHAPE)[:, None, None, None] / 2
    return np.where(((np.indices(SHAPE) - centre) ** 2).sum(axis=0) < radius**2, 255, 0).astype(np.uint8)


def box():
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[2:7, 3:9, 4:8] = 255
    return voxels


def empty_slices(*places):
    sparse = SparseLabels.unlabelled(GRID, ["a"])
    for axis, index in places:
        sparse.clear_slice(axis, index)
        sparse.voxels[tuple(index if a == axis else slice(None) for a in range(3))] = 0
    return sparse.voxels


@pytest.mark.parametrize("voxels", [ball(), ball(4.5), box()], ids=["ball", "large", "box"])
def test_an_organ_in_the_volume_is_a_mask(voxels):
    assert is_mask(voxels)


@pytest.mark.parametrize(
    "voxels",
    [
        empty_slices((2, 5)),
        empty_slices(*((2, index) for index in range(8))),
        empty_slices((0, 3), (2, 5)),
        empty_slices(*((axis, index) for axis in range(3) for index in (2, 4, 6, 8))),
        np.full(SHAPE, 255, np.uint8),
        np.zeros(SHAPE, np.uint8),
        np.minimum(ball(), 1),
        np.where(ball() == 255, 255, 1).astype(np.uint8),
    ],
    ids=["one slice", "most slices", "crossing", "many crossing", "unlabelled", "empty", "classes", "class 1 around"],
)
def test_labelled_slices_without_an_organ_are_no_mask(voxels):
    assert not is_mask(voxels)


def test_a_slice_half_painted_is_no_mask():
    voxels = empty_slices((2, 5))
    voxels[:6, :, 6] = 0

    assert not is_mask(voxels)


def test_a_mask_is_read_as_the_only_organ_and_told(tmp_path):
    path = tmp_path / "a.nii.gz"
    write_label_map(path, LabelMap(ball(), GRID, "a"))

    with pytest.warns(Notice, match="255 is taken for the organ"):
        read = read_volume_labels(path, ["prostate"])

    assert read.mask and np.array_equal(read.voxels, ball() // 255)
    with pytest.raises(InputError, match="is black and white, but there are 2 organs"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_volume_labels(path, ["prostate", "bladder"])


def test_a_file_that_names_its_labels_is_no_mask(tmp_path):
    fields = {"Segment0_LabelValue": "1", "Segment0_Name": "prostate"}
    write_label_map(tmp_path / "a.nrrd", LabelMap(ball(), GRID, "a"), fields)

    assert np.array_equal(read_volume_labels(tmp_path / "a.nrrd", ["prostate"]).voxels, ball())
