"""Label maps as DICOM segmentations and as DICOM series, of this program and of others."""

import numpy as np
import pytest
from dicom_files import NAMES, enhanced, oblique, save, save_series, segmentation_of, series_of, two_organs

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.imaging.file_formats.segmentation import fitted
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.image_files import read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes
from USLabelEfficientSegLib.imaging.scan_files import images_by_name

GRID = oblique()
LABELS = two_organs()


def at_their_place(label_map, grid=GRID):
    """The labels on the grid of the image, voxel by voxel."""
    found = np.zeros(grid.shape, np.uint8)
    for index in np.argwhere(label_map.voxels):
        place = grid.physical_to_index(label_map.geometry.index_to_physical(index))
        np.testing.assert_allclose(place, np.rint(place), atol=1e-3)
        found[tuple(np.rint(place).astype(int))] = label_map.voxels[tuple(index)]
    return found


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_segments_are_labels_with_names(tmp_path, kind):
    path = save(segmentation_of(kind=kind), tmp_path / "case_SEG.dcm")

    label_map = read_label_map(path)

    np.testing.assert_array_equal(at_their_place(label_map), LABELS)
    assert label_map.segments == NAMES
    assert label_map.name == "case"


def test_fractions_count_from_a_half_on_and_that_is_told(tmp_path):
    dataset = segmentation_of(kind="FRACTIONAL")
    dataset.PixelData = bytes(np.frombuffer(dataset.PixelData, np.uint8) // 200 * 127)
    path = save(dataset, tmp_path / "a.dcm")

    with pytest.warns(Notice, match="at least a half"):
        assert not read_label_map(path).voxels.any()


@pytest.mark.parametrize("step", ["1.3", None])
def test_frames_in_any_order_with_empty_slices_left_out(tmp_path, step):
    labels = LABELS.copy()
    labels[:, :, 1] = 0
    dataset = segmentation_of(labels, order=[3, 0, 4, 2, 1], step=step)

    label_map = read_label_map(save(dataset, tmp_path / "a.dcm"))

    np.testing.assert_array_equal(at_their_place(label_map), labels)
    assert label_map.geometry.same_grid(GRID, 1e-3)


def test_one_segment_in_one_slice(tmp_path):
    labels = np.where(LABELS == 1, 1, 0).astype(np.uint8)
    labels[:, :, 1:] = 0

    label_map = read_label_map(save(segmentation_of(labels, names={1: "Bladder"}), tmp_path / "a.dcm"))

    np.testing.assert_array_equal(at_their_place(label_map), labels)
    assert label_map.segments == {1: "Bladder"}


@pytest.mark.parametrize("k", [0, 2, 4])
def test_a_segmentation_is_put_on_the_grid_of_its_image(tmp_path, k):
    labels = np.zeros_like(LABELS)
    labels[1:4, 1:4, k] = 1
    label_map = read_label_map(save(segmentation_of(labels, names={1: "Bladder"}), tmp_path / "a.dcm"))

    on_image = fitted(label_map, GRID)

    np.testing.assert_array_equal(on_image.voxels, labels)
    assert on_image.geometry.same_grid(GRID, 1e-6)


def test_segment_numbers_need_not_count_up(tmp_path):
    labels = np.where(LABELS == 2, 7, LABELS).astype(np.uint8)

    label_map = read_label_map(save(segmentation_of(labels, names={1: "Bladder", 7: "Prostate"}), tmp_path / "a.dcm"))

    np.testing.assert_array_equal(at_their_place(label_map), labels)
    assert label_map.segments == {1: "Bladder", 7: "Prostate"}


def test_segments_that_overlap_are_refused_with_their_names(tmp_path):
    dataset = segmentation_of(frames=[(1, 0), (1, 1), (2, 3)])
    dataset.PerFrameFunctionalGroupsSequence[1].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 2
    dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence = dataset.PerFrameFunctionalGroupsSequence[
        0
    ].PlanePositionSequence

    with pytest.raises(InputError, match=r"segments that overlap \(Bladder and Prostate\)"):
        read_label_map(save(dataset, tmp_path / "a.dcm"))


def test_a_segmentation_is_no_image(tmp_path):
    path = save(segmentation_of(), tmp_path / "a.dcm")

    with pytest.raises(InputError, match="is no image but a DICOM object of the kind Segmentation; give the image"):
        read_volume(path)


@pytest.mark.parametrize("damage", ["number", "frames", "described", "cut"])
def test_damaged_segmentations_are_refused(tmp_path, damage):
    dataset = segmentation_of()
    if damage == "number":
        dataset.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9
    if damage == "frames":
        dataset.NumberOfFrames = 500
    if damage == "described":
        dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[:-1]
    path = save(dataset, tmp_path / "a.dcm")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(InputError, match="damaged"):
        read_label_map(path)


def test_a_series_of_labels_holds_the_stored_numbers(tmp_path):
    folder = save_series(series_of(LABELS, GRID), tmp_path / "labels")

    label_map = read_label_map(folder)

    np.testing.assert_array_equal(label_map.voxels, LABELS)
    assert label_map.geometry.same_grid(GRID, 1e-6)


def test_the_segmentation_in_the_folder_of_its_image_is_the_label_map(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 256, GRID.shape).astype(np.uint8)
    folder = save_series(series_of(voxels, GRID), tmp_path / "case")
    save(segmentation_of(), folder / "seg.dcm")

    np.testing.assert_array_equal(at_their_place(read_label_map(folder)), LABELS)
    with pytest.warns(Notice, match="passed over: seg.dcm .Segmentation."):
        np.testing.assert_array_equal(read_volume(folder).voxels, voxels)


def test_companions_beside_the_folders_of_two_series_are_no_images(tmp_path):
    for name in "ab":
        save_series(series_of(LABELS + 1, GRID), tmp_path / name)
        save(segmentation_of(), tmp_path / f"{name}_SEG.dcm")

    with pytest.warns(Notice, match="passed over, as no images: a_SEG.dcm, b_SEG.dcm"):
        assert find_images(tmp_path) == {"a": tmp_path / "a", "b": tmp_path / "b"}


def test_a_folder_of_segmentations_holds_label_maps_under_the_names_of_their_images(tmp_path):
    for name in "ab":
        save(segmentation_of(), tmp_path / f"{name}_SEG.dcm")

    assert find_images(tmp_path) == {name: tmp_path / f"{name}_SEG.dcm" for name in "ab"}


def test_a_folder_of_volumes_is_not_one_image_but_a_series_is(tmp_path):
    volumes, series, alone = (tmp_path / name for name in ("volumes", "series", "alone"))
    for name in "ab":
        save(enhanced(LABELS + 1, GRID), volumes / f"{name}.dcm")
    save_series(series_of(LABELS + 1, GRID), series)
    save(enhanced(LABELS + 1, GRID), alone / "a.dcm")

    assert images_by_name([volumes]) == {name: volumes / f"{name}.dcm" for name in "ab"}
    assert images_by_name([series, alone]) == {"series": series, "alone": alone}


def test_a_segmentation_of_a_2d_image(tmp_path):
    labels = LABELS[:, :, 2:3]
    dataset = segmentation_of(labels, frames=[(1, 0), (2, 0)])
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence
    path = save(dataset, tmp_path / "a.dcm")
    image = Geometry((7, 6, 1), (0.4, 0.55, 1.0), (0.0, 0.0, 0.0), np.eye(3))

    found = read_image_labels(path, image, PixelSizes())

    np.testing.assert_array_equal(found.voxels, labels)
    assert found.segments == NAMES
    assert found.geometry.spacing == (0.4, 0.55, 1.0)
