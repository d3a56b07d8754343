import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.disk.suffixes import WRITE_SUFFIXES
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import (
    find_images,
    image_name,
    read_label_map,
    read_volume,
    split_frames,
    write_label_map,
    write_volume,
)
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan


def _write_colours(path: Path, array: np.ndarray) -> Path:
    """Write colours (K, J, I, 3 or 4) as the format says that they are colours; SimpleITK knows vectors alone."""
    _write_with_itk(path, array, colours=True)
    if path.suffix == ".nrrd":
        kind = b"kinds: RGB-color" if array.shape[3] == 3 else b"kinds: RGBA-color"
        path.write_bytes(path.read_bytes().replace(b"kinds: vector", kind))
    if path.name.endswith(".nii.gz"):
        content = bytearray(gzip.decompress(path.read_bytes()))
        struct.pack_into("<8h", content, 40, 3, *array.shape[2::-1], 1, 1, 1, 1)
        struct.pack_into("<3h", content, 68, 0, *((128, 24) if array.shape[3] == 3 else (2304, 32)))
        path.write_bytes(gzip.compress(bytes(content[:352]) + array.tobytes()))
    return path


def _write_with_itk(path: Path, array: np.ndarray, colours: bool = False, compressed: bool = False) -> Path:
    """Write an array (..., K, J, I) or (K, J, I, colours) as it is, whatever this library thinks of it."""
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=colours), str(path), compressed)
    return path


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_a_volume_comes_back_as_written(volume: Scan, tmp_path: Path, suffix: str) -> None:
    write_volume(tmp_path / f"case.1{suffix}", volume)

    again = read_volume(tmp_path / f"case.1{suffix}")

    np.testing.assert_array_equal(again.voxels, volume.voxels)
    assert again.voxels.dtype == np.uint8
    assert again.geometry.same_grid(volume.geometry, 1e-5)
    assert again.name == "case.1"
    assert os.listdir(tmp_path) == [f"case.1{suffix}"]


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("int8", "int8"),
        ("uint16", "uint16"),
        ("int16", "int16"),
        ("int32", "float32"),
        ("float64", "float32"),
    ],
)
def test_small_integers_stay_and_others_become_float32(volume: Scan, tmp_path: Path, stored: str, kept: str) -> None:
    path = _write_with_itk(tmp_path / "a.nrrd", (volume.voxels // 2).astype(stored))

    read = read_volume(path)

    assert read.voxels.dtype == kept
    np.testing.assert_array_equal(read.voxels, np.swapaxes(volume.voxels // 2, 0, 2))


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_a_label_map_comes_back_as_written(oblique_geometry: Geometry, tmp_path: Path, suffix: str) -> None:
    labels = np.random.default_rng(0).choice([0, 1, 2, 255], oblique_geometry.shape).astype(np.uint8)
    write_label_map(tmp_path / f"a{suffix}", LabelMap(labels, oblique_geometry, "a"))

    again = read_label_map(tmp_path / f"a{suffix}")

    np.testing.assert_array_equal(again.voxels, labels)
    assert again.geometry.same_grid(oblique_geometry, 1e-5)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_label_map_has_the_names_that_its_file_gives(oblique_geometry: Geometry, tmp_path: Path, suffix: str) -> None:
    label_map = LabelMap(np.full(oblique_geometry.shape, 2, np.uint8), oblique_geometry, "a")
    fields = {"Segment0_LabelValue": "2", "Segment0_Name": "prostate", "Segment1_LabelValue": "1"}
    write_label_map(tmp_path / f"a{suffix}", label_map, fields | {"Segment1_Name": "bladder"})
    write_label_map(tmp_path / f"plain{suffix}", label_map)

    assert read_label_map(tmp_path / f"a{suffix}").segments == {1: "bladder", 2: "prostate"}
    assert read_label_map(tmp_path / f"plain{suffix}").segments == {}


def test_whole_numbers_stored_as_float_are_labels(tmp_path: Path) -> None:
    array = np.zeros((3, 4, 5), np.float32)
    array[1] = 2

    assert set(np.unique(read_label_map(_write_with_itk(tmp_path / "a.nii.gz", array)).voxels)) == {0, 2}


@pytest.mark.parametrize("value", [0.5, -1, 256, np.nan])
def test_values_that_are_no_labels_are_refused(tmp_path: Path, value: float) -> None:
    array = np.zeros((3, 4, 5), np.float32)
    array[1, 2, 3] = value

    with pytest.raises(InputError, match=r"a\.nrrd: holds values that are not labels"):
        read_label_map(_write_with_itk(tmp_path / "a.nrrd", array))


def test_a_colour_label_map_is_refused(tmp_path: Path) -> None:
    path = _write_colours(tmp_path / "a.nrrd", np.zeros((3, 4, 5, 3), np.uint8))

    with pytest.raises(InputError, match="is not a label map"):
        read_label_map(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colour_becomes_luminance(tmp_path: Path, suffix: str, channels: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 4, 5, channels)).astype(np.uint8)

    grey = read_volume(_write_colours(tmp_path / f"a{suffix}", colours)).voxels

    assert grey.dtype == np.uint8
    expected = np.rint(colours[..., :3] @ [0.299, 0.587, 0.114])
    np.testing.assert_allclose(np.swapaxes(grey, 0, 2), expected, atol=1)


def test_grey_stored_as_colour_is_unchanged(volume: Scan, tmp_path: Path) -> None:
    path = _write_colours(tmp_path / "a.nrrd", np.repeat(volume.voxels[..., None], 3, axis=3))

    np.testing.assert_array_equal(np.swapaxes(read_volume(path).voxels, 0, 2), volume.voxels)


def test_two_channels_are_refused(tmp_path: Path) -> None:
    path = _write_with_itk(tmp_path / "a.nrrd", np.zeros((3, 4, 5, 2), np.uint8), colours=True)

    with pytest.raises(InputError, match="give a grey or RGB image"):
        read_volume(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_four_dimensions_are_refused_and_can_be_split(tmp_path: Path, suffix: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    path = _write_with_itk(tmp_path / f"beat{suffix}", array)

    with pytest.raises(InputError, match=r"holds 2 volumes over time \(4-D\); save the time point"):
        read_volume(path)
    with pytest.raises(InputError, match="4-D"):
        read_label_map(path)
    first, second = split_frames(path)

    assert (first.name, second.name) == ("beat_000", "beat_001")
    np.testing.assert_array_equal(np.swapaxes(second.voxels, 0, 2), array[1])


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz"])
def test_a_fourth_dimension_of_one_is_no_dimension(tmp_path: Path, suffix: str) -> None:
    array = np.arange(60, dtype=np.uint8).reshape(1, 3, 4, 5)

    read = read_volume(_write_with_itk(tmp_path / f"a{suffix}", array))

    np.testing.assert_array_equal(np.swapaxes(read.voxels, 0, 2), array[0])


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5)])
def test_a_slice_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = _write_with_itk(tmp_path / "a.nrrd", np.arange(20, dtype=np.uint8).reshape(shape))

    with pytest.raises(InputError, match=r"a\.nrrd: is (a 2-D image|no volume)"):
        read_volume(path)


@pytest.mark.parametrize(("value", "problem"), [(np.nan, "NaN or infinite"), (7, "the value 7 in every voxel")])
def test_images_without_content_are_refused(tmp_path: Path, value: float, problem: str) -> None:
    path = _write_with_itk(tmp_path / "a.mha", np.full((3, 4, 5), value, np.float32))

    with pytest.raises(InputError, match=rf"a\.mha: .*{problem}"):
        read_volume(path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.nrrd", "no such file"),
        ("text.csv", "not of a format that can be read; convert it to NRRD, NIfTI"),
        ("empty", "folder without DICOM images"),
        ("fake.nrrd", "is damaged"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "text.csv").write_text("a,b")
    (tmp_path / "fake.nrrd").write_text("a,b")
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match=problem):
        read_volume(tmp_path / name)


def test_images_are_found_by_name(volume: Scan, tmp_path: Path) -> None:
    write_volume(tmp_path / "b.nii.gz", volume)
    write_volume(tmp_path / "a.2.NRRD", volume)
    write_volume(tmp_path / "c.mha", volume)
    for other in ("cases.csv", ".hidden.nrrd"):
        (tmp_path / other).write_text("")
    (tmp_path / "folder.nrrd").mkdir()

    images = find_images(tmp_path)

    assert list(images) == ["a.2", "b", "c"]
    assert images["b"] == tmp_path / "b.nii.gz"


def test_two_images_of_one_name_are_refused(volume: Scan, tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", volume)
    write_volume(tmp_path / "a.nrrd", volume)

    with pytest.raises(InputError, match=r"two images of the name a \(a\.nii\.gz and a\.nrrd\)"):
        find_images(tmp_path)


@pytest.mark.parametrize(("folder", "problem"), [("", "holds no images"), ("missing", "no such file")])
def test_a_folder_without_images_is_refused(tmp_path: Path, folder: str, problem: str) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")

    with pytest.raises(InputError, match=problem):
        find_images(tmp_path / folder)


def test_the_name_of_an_image_is_its_file_name_without_the_format() -> None:
    assert image_name(Path("x/a.b.nii.gz")) == "a.b"
    assert image_name(Path("x/a.gipl.gz")) == "a"
    assert image_name(Path("x/A.NRRD")) == "A"
