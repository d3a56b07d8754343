from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_files import (
    COMPREHENSIVE_REPORT,
    ENHANCED_VOLUME,
    ULTRASOUND_FILM,
    dicom_image,
    enhanced,
    item,
    oblique,
    save,
    save_series,
    series_of,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless, generate_uid

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume, split_frames
from USLabelEfficientSegLib.imaging.geometry import Geometry


@pytest.fixture
def geometry() -> Geometry:
    return oblique()


@pytest.fixture
def voxels(geometry: Geometry) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, geometry.shape).astype(np.uint8)


def _assert_same_place(found: Geometry, written: Geometry) -> None:
    assert found.shape == written.shape
    corners = np.indices((2, 2, 2)).reshape(3, 8).T * (np.array(written.shape) - 1)
    np.testing.assert_allclose(found.index_to_physical(corners), written.index_to_physical(corners), atol=1e-6)
    np.testing.assert_allclose(found.spacing, written.spacing, atol=1e-6)


@pytest.mark.parametrize("place", ["Volume", "Patient"])
def test_an_enhanced_volume_lies_where_its_frames_say(voxels, geometry, tmp_path: Path, place: str) -> None:
    volume = read_volume(save(enhanced(voxels, geometry, place), tmp_path / "heart.dcm"))

    np.testing.assert_array_equal(volume.voxels, voxels)
    assert volume.voxels.dtype == np.uint8
    assert volume.name == "heart"
    _assert_same_place(volume.geometry, geometry)


def test_frames_stored_backwards_are_put_into_order(voxels, geometry, tmp_path: Path) -> None:
    dataset = enhanced(voxels[:, :, ::-1], geometry)
    dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[::-1]

    volume = read_volume(save(dataset, tmp_path / "backwards.dcm"))

    np.testing.assert_array_equal(volume.voxels, voxels)
    _assert_same_place(volume.geometry, geometry)


def test_a_series_is_sorted_by_position(voxels, geometry, tmp_path: Path) -> None:
    folder = save_series(series_of(voxels, geometry), tmp_path / "serie é")
    (folder / "notes.txt").write_text("not an image")

    volume = read_volume(folder)

    np.testing.assert_array_equal(volume.voxels, voxels)
    assert volume.name == "serie é"
    _assert_same_place(volume.geometry, geometry)


def test_a_series_agrees_with_simpleitk(voxels, geometry, tmp_path: Path) -> None:
    folder = save_series(series_of(voxels, geometry), tmp_path / "series")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(names)

    volume = read_volume(folder)

    np.testing.assert_array_equal(volume.voxels, np.swapaxes(sitk.GetArrayFromImage(image), 0, 2))
    np.testing.assert_allclose(volume.geometry.spacing, image.GetSpacing(), atol=1e-6)
    np.testing.assert_allclose(volume.geometry.origin, image.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(volume.geometry.direction.ravel(), image.GetDirection(), atol=1e-6)


def test_sixteen_bits_are_kept(voxels, geometry, tmp_path: Path) -> None:
    deep = voxels.astype(np.uint16) * 100

    volume = read_volume(save(enhanced(deep, geometry), tmp_path / "deep.dcm"))

    assert volume.voxels.dtype == np.uint16
    np.testing.assert_array_equal(volume.voxels, deep)


def test_run_length_encoding_is_decoded(voxels, geometry, tmp_path: Path) -> None:
    dataset = enhanced(voxels, geometry)
    dataset.compress(RLELossless)

    np.testing.assert_array_equal(read_volume(save(dataset, tmp_path / "a.dcm")).voxels, voxels)


def test_lossless_jpeg_is_decoded(voxels, geometry, tmp_path: Path) -> None:
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(tmp_path / "jpeg.dcm"))
    writer.Execute(sitk.GetImageFromArray(np.swapaxes(voxels, 0, 2)))
    dataset = pydicom.dcmread(tmp_path / "jpeg.dcm")
    plain = enhanced(voxels, geometry)
    plain.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    plain.PixelData = dataset.PixelData
    plain["PixelData"].is_undefined_length = True

    volume = read_volume(save(plain, tmp_path / "volume.dcm"))

    assert "JPEG Lossless" in dataset.file_meta.TransferSyntaxUID.name
    np.testing.assert_array_equal(volume.voxels, voxels)
    _assert_same_place(volume.geometry, geometry)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_becomes_luminance(geometry, tmp_path: Path, photometric: str) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    dataset = enhanced(np.zeros(geometry.shape, np.uint8), geometry)
    dataset.update(dicom_image(colours, ENHANCED_VOLUME, dataset.SeriesInstanceUID))
    dataset.PhotometricInterpretation = photometric
    expected: NDArray[Any] = colours @ [0.299, 0.587, 0.114]
    if photometric == "YBR_FULL":  # its first component is the luminance; 128 stands for no colour
        colours[..., 1:] = 128
        dataset.PixelData = colours.tobytes()
        expected = colours[..., 0]

    volume = read_volume(save(dataset, tmp_path / "colour.dcm"))

    assert volume.voxels.dtype == np.uint8
    np.testing.assert_allclose(np.swapaxes(volume.voxels, 0, 2), expected, atol=0.51)


def test_several_time_points_are_refused_and_can_be_split(voxels, geometry, tmp_path: Path) -> None:
    path = save(enhanced(voxels, geometry, times=3), tmp_path / "beating.dcm")

    with pytest.raises(InputError, match=r"beating\.dcm: holds 3 volumes over time \(4-D\); save the time"):
        read_volume(path)
    volumes = split_frames(path)

    assert [volume.name for volume in volumes] == ["beating_000", "beating_001", "beating_002"]
    for time, volume in enumerate(volumes):
        np.testing.assert_array_equal(volume.voxels, voxels // (1 + time))
        _assert_same_place(volume.geometry, geometry)


def test_a_film_has_no_geometry(voxels, tmp_path: Path) -> None:
    film = dicom_image(np.swapaxes(voxels, 0, 2), ULTRASOUND_FILM, generate_uid())
    film.PixelSpacing = ["0.5", "0.25"]

    with pytest.raises(InputError, match="film whose frames have no position in space"):
        read_volume(save(film, tmp_path / "film.dcm"))


def test_frames_at_a_known_distance_are_a_volume(voxels, tmp_path: Path) -> None:
    film = dicom_image(np.swapaxes(voxels, 0, 2), ULTRASOUND_FILM, generate_uid())
    film.PixelSpacing = ["0.5", "0.25"]
    film.SpacingBetweenSlices = "0.75"

    volume = read_volume(save(film, tmp_path / "sweep.dcm"))

    np.testing.assert_array_equal(volume.voxels, voxels)
    np.testing.assert_allclose(volume.geometry.spacing, (0.25, 0.5, 0.75))
    np.testing.assert_allclose(volume.geometry.direction, np.eye(3))


def test_the_calibration_of_an_ultrasound_region_gives_the_spacing(voxels, geometry, tmp_path: Path) -> None:
    slices = series_of(voxels, geometry)
    for dataset in slices:
        del dataset.PixelSpacing
        region = item(PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3)
        region.PhysicalDeltaX, region.PhysicalDeltaY = 0.04, 0.055  # cm
        dataset.SequenceOfUltrasoundRegions = [region]

    _assert_same_place(read_volume(save_series(slices, tmp_path / "s")).geometry, geometry)


def _without_spacing(slices: list[Dataset]) -> None:
    for dataset in slices:
        del dataset.PixelSpacing


def _without_position(slices: list[Dataset]) -> None:
    del slices[2].ImagePositionPatient


def _missing_slice(slices: list[Dataset]) -> None:
    del slices[2]


def _second_series(slices: list[Dataset]) -> None:
    slices[4].SeriesInstanceUID = generate_uid()


def _one_slice(slices: list[Dataset]) -> None:
    del slices[1:]


def _palette(slices: list[Dataset]) -> None:
    slices[0].PhotometricInterpretation = "PALETTE COLOR"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_without_spacing, "does not say how large its pixels are"),
        (_without_position, "does not say where its slice lies"),
        (_missing_slice, r"has slices 1\.3 to 2\.6 mm apart, uneven or with some missing"),
        (_second_series, "holds 2 DICOM series; put each series into its own folder"),
        (_one_slice, "single 2-D frame; give the folder with all slices"),
        (_palette, "pixels of the kind PALETTE COLOR"),
    ],
)
def test_a_series_that_is_no_volume_is_refused(voxels, geometry, tmp_path: Path, damage, sentence: str) -> None:
    slices = series_of(voxels, geometry)
    damage(slices)

    with pytest.raises(InputError, match=sentence):
        read_volume(save_series(slices, tmp_path / "series"))


@pytest.mark.parametrize("kept", [-1, -100, 700, 400, 150])
def test_a_slice_cut_short_is_refused(voxels, geometry, tmp_path: Path, kept: int) -> None:
    folder = save_series(series_of(voxels, geometry), tmp_path / "series")
    last = max(folder.iterdir())
    last.write_bytes(last.read_bytes()[:kept])

    with pytest.raises(InputError, match=f"{last.name}: is damaged or cut short"):
        read_volume(folder)


def test_a_volume_cut_short_is_refused(voxels, geometry, tmp_path: Path) -> None:
    path = save(enhanced(voxels, geometry), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-3])

    with pytest.raises(InputError, match=r"a\.dcm: is damaged or cut short"):
        read_volume(path)


def test_a_report_beside_the_slices_is_passed_over(voxels, geometry, tmp_path: Path) -> None:
    folder = save_series(series_of(voxels, geometry), tmp_path / "series")
    report = dicom_image(np.zeros((1, 1, 1), np.uint8), COMPREHENSIVE_REPORT, generate_uid())
    for name in ("PixelData", "Rows", "Columns", "PhotometricInterpretation"):
        delattr(report, name)
    save(report, folder / "report.dcm")

    np.testing.assert_array_equal(read_volume(folder).voxels, voxels)


def test_a_series_in_one_folder_with_volumes_of_other_formats_is_refused(voxels, geometry, tmp_path: Path) -> None:
    """Neither may be segmented as if the other were not there; a segmentation of 3D Slicer beside a series is fine."""
    folder = save_series(series_of(voxels, geometry), tmp_path / "series")
    (folder / "series.seg.nrrd").write_bytes(b"")
    np.testing.assert_array_equal(read_volume(folder).voxels, voxels)

    (folder / "patient.nii.gz").write_bytes(b"")

    with pytest.raises(InputError, match=r"volumes of other formats \(patient.nii.gz\); put them into folders"):
        read_volume(folder)


def test_a_folder_with_a_series_counts_as_one_image(voxels, geometry, tmp_path: Path) -> None:
    save_series(series_of(voxels, geometry), tmp_path / "b")
    save(enhanced(voxels, geometry), tmp_path / "a.dcm")
    (tmp_path / "c").mkdir()

    assert find_images(tmp_path) == {"a": tmp_path / "a.dcm", "b": tmp_path / "b"}


def test_labels_may_be_dicom_as_well(voxels, geometry, tmp_path: Path) -> None:
    labels = voxels // 64

    read = read_label_map(save(enhanced(labels, geometry), tmp_path / "a.dcm"))

    np.testing.assert_array_equal(read.voxels, labels)
