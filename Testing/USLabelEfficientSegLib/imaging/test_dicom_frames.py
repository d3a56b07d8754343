"""Frames over time are no volume; frames in space are, and lie exactly where they say."""

import numpy as np
import pydicom
import pytest
from dicom_files import (
    COMPREHENSIVE_REPORT,
    ULTRASOUND_FILM,
    decimals,
    dicom_image,
    enhanced,
    oblique,
    save,
    save_series,
    series_of,
)
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.imaging.files import find_images, read_volume, split_frames
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.image_files import read_image
from USLabelEfficientSegLib.imaging.scan_files import dimension_of

GRID = oblique()
VOXELS = np.random.default_rng(0).integers(0, 256, GRID.shape).astype(np.uint8)
FRAME_TIME, FRAME_TIME_VECTOR = Tag("FrameTime"), Tag("FrameTimeVector")


def film(**attributes):
    dataset = dicom_image(VOXELS.T, ULTRASOUND_FILM, generate_uid())
    dataset.PixelSpacing = ["0.55", "0.4"]
    dataset.SpacingBetweenSlices = "1.3"
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize("step", ["1.3", "-1.3"])
@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"FrameTime": "33.3"}, "FrameTime"),
        ({"FrameTimeVector": ["0", "33", "33", "33", "33"]}, "FrameTimeVector"),
        ({"FrameIncrementPointer": FRAME_TIME}, "FrameTime"),
        (
            {"FrameIncrementPointer": FRAME_TIME_VECTOR, "FrameTimeVector": ["0", "33", "33", "33", "33"]},
            "FrameTimeVector",
        ),
        ({"FrameIncrementPointer": [FRAME_TIME]}, "FrameTime"),
        ({"CineRate": "30"}, "CineRate"),
        ({"ActualFrameDuration": "33"}, "ActualFrameDuration"),
    ],
)
def test_a_cine_loop_beside_a_distance_of_slices_is_no_volume(tmp_path, attributes, told, step):
    path = save(film(SpacingBetweenSlices=step, **attributes), tmp_path / "loop.dcm")

    with pytest.raises(InputError, match=rf"is a film: its frames follow each other in time \({told}.*; give a 3-D"):
        read_volume(path)
    with pytest.raises(InputError, match="is a film"):
        split_frames(path)


def test_temporal_positions_without_places_are_no_volume(tmp_path):
    dataset = enhanced(VOXELS, GRID)
    for frame, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        del group.PlanePositionVolumeSequence
        group.FrameContentSequence[0].TemporalPositionIndex = frame + 1
    dataset.SpacingBetweenSlices = "1.3"

    with pytest.raises(InputError, match=r"follow each other in time \(TemporalPositionIndex\)"):
        read_volume(save(dataset, tmp_path / "a.dcm"))


def test_a_negative_distance_without_positions_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"frames without position and the distance -1\.3 mm"):
        read_volume(save(film(SpacingBetweenSlices="-1.3"), tmp_path / "a.dcm"))


@pytest.mark.parametrize(
    "attributes",
    [
        {"FrameTime": ""},
        {"FrameTime": "0"},
        {"FrameIncrementPointer": Tag("SpacingBetweenSlices"), "FrameTime": "33"},
        {"FrameIncrementPointer": Tag("SliceLocation"), "FrameTime": "33"},
    ],
)
def test_frames_in_space_without_positions_of_their_own_are_a_volume(tmp_path, attributes):
    volume = read_volume(save(film(**attributes), tmp_path / "a.dcm"))

    np.testing.assert_array_equal(volume.voxels, VOXELS)
    np.testing.assert_allclose(volume.geometry.spacing, (0.4, 0.55, 1.3))


def test_frames_lie_at_their_slice_locations_where_these_are_what_changes(tmp_path):
    dataset = film(
        FrameIncrementPointer=Tag("SliceLocationVector"),
        SliceLocationVector=[10.0, 8.5, 7.0, 5.5, 4.0],
        SpacingBetweenSlices=None,
        FrameTime="33",
    )

    volume = read_volume(save(dataset, tmp_path / "a.dcm"))

    np.testing.assert_array_equal(volume.voxels, VOXELS[:, :, ::-1])
    np.testing.assert_allclose(volume.geometry.spacing, (0.4, 0.55, 1.5))
    np.testing.assert_allclose(volume.geometry.origin, (0, 0, -6))


def test_positions_count_whatever_the_frame_time_says(tmp_path):
    dataset = enhanced(VOXELS, GRID)
    dataset.FrameTime, dataset.FrameIncrementPointer = "33", FRAME_TIME

    assert read_volume(save(dataset, tmp_path / "a.dcm")).geometry.same_grid(GRID, 1e-6)


@pytest.mark.parametrize("digits", [2, 3])
def test_positions_that_were_rounded_are_even(tmp_path, digits):
    grid = Geometry((7, 6, 25), (0.4, 0.55, 1 / 3), GRID.origin, GRID.direction)
    slices = series_of(np.tile(VOXELS[:, :, :1], 25), grid)
    for dataset in slices:
        dataset.ImagePositionPatient = [f"{float(x):.{digits}f}" for x in dataset.ImagePositionPatient]

    volume = read_volume(save_series(slices, tmp_path / "s"))

    assert volume.geometry.spacing == pytest.approx((0.4, 0.55, 1 / 3), rel=2e-3)
    assert volume.geometry.same_grid(grid, 0.05)


@pytest.mark.parametrize("change", ["missing", "uneven"])
def test_rounding_hides_no_missing_slice_and_no_uneven_ones(tmp_path, change):
    grid = Geometry((7, 6, 25), (0.4, 0.55, 0.1 if change == "missing" else 1 / 3), GRID.origin, GRID.direction)
    slices = series_of(np.tile(VOXELS[:, :, :1], 25), grid)
    for k, dataset in enumerate(slices):
        place = grid.index_to_physical((0, 0, k + (0.1 if change == "uneven" and k == 9 else 0)))
        dataset.ImagePositionPatient = [f"{x:.2f}" for x in place]
    if change == "missing":
        del slices[13]

    with pytest.raises(InputError, match="uneven or with some missing"):
        read_volume(save_series(slices, tmp_path / "s"))


def test_a_flipped_series_lies_where_it_says(tmp_path):
    flipped = Geometry(GRID.shape, GRID.spacing, GRID.origin, GRID.direction @ np.diag([-1, 1, -1]))

    volume = read_volume(save_series(series_of(VOXELS, flipped), tmp_path / "s"))

    assert volume.geometry.same_grid(flipped, 1e-6)
    np.testing.assert_array_equal(volume.voxels, VOXELS)


def test_empty_attributes_are_absent_ones(tmp_path):
    slices = series_of(VOXELS, GRID)
    for dataset in slices:
        for name in (
            "NumberOfFrames", "InstanceNumber", "RescaleSlope", "RescaleIntercept", "SpacingBetweenSlices", "FrameTime",
            "TemporalPositionIdentifier", "ImagerPixelSpacing", "SequenceOfUltrasoundRegions", "FrameIncrementPointer",
        ):  # fmt: skip
            setattr(dataset, name, None)

    volume = read_volume(save_series(slices, tmp_path / "s"))

    assert volume.geometry.same_grid(GRID, 1e-6)
    np.testing.assert_array_equal(volume.voxels, VOXELS)


def test_an_empty_position_is_told_as_a_missing_one(tmp_path):
    slices = series_of(VOXELS, GRID)
    slices[1].ImagePositionPatient = ""

    with pytest.raises(InputError, match="does not say where its slice lies"):
        read_volume(save_series(slices, tmp_path / "s"))


@pytest.mark.parametrize("meta", [True, False], ids=["meta", "no meta"])
@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "explicit"])
@pytest.mark.parametrize("suffix", [".dcm", "", ".IMA"])
def test_files_without_preamble_are_read(tmp_path, meta, implicit, suffix):
    path = save(enhanced(VOXELS, GRID), tmp_path / "whole.dcm")
    dataset = pydicom.dcmread(path)
    if implicit:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    if meta:
        dataset.save_as(path, implicit_vr=implicit)
        bare = path.read_bytes()[132:]
    else:
        del dataset.file_meta
        dataset.preamble = None
        pydicom.dcmwrite(path, dataset, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        bare = path.read_bytes()
        assert bare[:1] == b"\x08"
    path.unlink()
    (tmp_path / f"bare{suffix}").write_bytes(bare)

    volume = read_volume(tmp_path / f"bare{suffix}")

    np.testing.assert_array_equal(volume.voxels, VOXELS)
    assert volume.geometry.same_grid(GRID, 1e-6)
    assert list(find_images(tmp_path).values()) == [tmp_path / f"bare{suffix}"]


def test_deflated_files_are_read_and_bombs_refused(tmp_path):
    dataset = enhanced(VOXELS, GRID)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    np.testing.assert_array_equal(read_volume(save(dataset, tmp_path / "a.dcm")).voxels, VOXELS)

    dataset.PixelData = bytes(400_000_000)
    with pytest.raises(InputError, match="unpacks to more than 256 MB; export it without deflation"):
        read_volume(save(dataset, tmp_path / "bomb.dcm"))


@pytest.mark.parametrize("frames", [2**31 - 1, 2_000_000, 6, 4])
def test_another_number_of_frames_than_pixels_is_refused_at_once(tmp_path, frames):
    dataset = enhanced(VOXELS, GRID)
    dataset.NumberOfFrames = frames

    with pytest.raises(InputError, match=rf"declares {frames * 42} bytes of pixels|more than 2\^31"):
        read_volume(save(dataset, tmp_path / "a.dcm"))
    dimension_of(tmp_path / "a.dcm")


def test_companions_are_passed_over_and_told(tmp_path):
    folder = save_series(series_of(VOXELS, GRID), tmp_path / "s")
    (folder / "notes.txt").write_text("not an image")
    for name, sop_class in {
        "report.dcm": COMPREHENSIVE_REPORT,
        "state": "1.2.840.10008.5.1.4.1.1.11.1",
        "structures": "1.2.840.10008.5.1.4.1.1.481.3",
        "document.dcm": "1.2.840.10008.5.1.4.1.1.104.1",
        "DICOMDIR": "1.2.840.10008.1.3.10",
    }.items():
        companion = dicom_image(np.zeros((1, 1, 1), np.uint8), sop_class, generate_uid())
        for attribute in ("PixelData", "Rows", "Columns", "PhotometricInterpretation"):
            delattr(companion, attribute)
        save(companion, folder / name)

    with pytest.warns(Notice, match="passed over: DICOMDIR .*, document.dcm .Encapsulated PDF.*and 1 more") as told:
        volume = read_volume(folder)

    assert len(told) == 1
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    assert volume.geometry.same_grid(GRID, 1e-6)


def test_a_copy_of_a_slice_is_passed_over_but_not_another_slice_of_the_same_uid(tmp_path):
    slices = series_of(VOXELS, GRID)
    folder = save_series(slices, tmp_path / "s")
    save(slices[2], folder / "copy.dcm")
    with pytest.warns(Notice, match="the same image again"):
        np.testing.assert_array_equal(read_volume(folder).voxels, VOXELS)

    for dataset in slices:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = slices[0].SOPInstanceUID
    np.testing.assert_array_equal(read_volume(save_series(slices, tmp_path / "t")).voxels, VOXELS)


def test_a_disc_with_a_directory_is_read(tmp_path):
    save_series(series_of(VOXELS, GRID), tmp_path / "disc" / "DICOM" / "ST0")
    directory = dicom_image(np.zeros((1, 1, 1), np.uint8), "1.2.840.10008.1.3.10", generate_uid())
    for attribute in ("PixelData", "Rows", "Columns"):
        delattr(directory, attribute)
    save(directory, tmp_path / "disc" / "DICOMDIR")

    with pytest.warns(Notice):
        np.testing.assert_array_equal(read_volume(tmp_path / "disc").voxels, VOXELS)
    assert find_images(tmp_path) == {"disc": tmp_path / "disc"}


def test_nested_sequences_end_in_a_sentence(tmp_path):
    path = save(enhanced(VOXELS, GRID), tmp_path / "a.dcm")
    nested = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 10_000
    content = path.read_bytes()
    at = content.index(b"\x28\x00\x02\x00US")
    path.write_bytes(content[:at] + nested + content[at:])

    with pytest.raises(InputError, match="damaged or cut short"):
        read_volume(path)


def test_character_sets_and_private_attributes_do_no_harm(tmp_path):
    dataset = enhanced(VOXELS, GRID)
    dataset.SpecificCharacterSet = "ISO_IR 13"
    dataset.add_new(0x00091001, "UN", b"\xff\xfe\x00")
    path = save(dataset, tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(b"Nobody", b"\xff\xfe\xb5\x80\xc3\x28"))

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


def test_a_single_frame_of_an_enhanced_file_is_told_by_its_position(tmp_path):
    dataset = enhanced(VOXELS[:, :, :1], Geometry((7, 6, 1), GRID.spacing, GRID.origin, GRID.direction))
    dataset.NumberOfFrames = 1

    assert dimension_of(save(dataset, tmp_path / "a.dcm")) == 3
    assert read_image(tmp_path / "a.dcm").geometry.spacing[:2] == pytest.approx((0.4, 0.55))


def test_several_time_points_of_a_series_are_told_by_their_temporal_position(tmp_path):
    slices = series_of(VOXELS, GRID) + series_of(VOXELS // 2, GRID)
    for number, dataset in enumerate(slices):
        dataset.SeriesInstanceUID = slices[0].SeriesInstanceUID
        dataset.TemporalPositionIdentifier = 2 - number // 5
        dataset.InstanceNumber = number + 1
        dataset.ImagePositionPatient = decimals(GRID.index_to_physical((0, 0, number % 5)))
    folder = tmp_path / "s"
    for number, dataset in enumerate(slices):
        save(dataset, folder / str(number))

    first, second = split_frames(folder)

    np.testing.assert_array_equal(first.voxels, VOXELS // 2)
    np.testing.assert_array_equal(second.voxels, VOXELS)
