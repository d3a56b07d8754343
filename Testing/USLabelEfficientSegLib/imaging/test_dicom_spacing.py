"""Where several attributes tell how large pixels are, they agree or are refused."""

import numpy as np
import pytest
from dicom_files import ULTRASOUND_IMAGE, dicom_image, enhanced, item, oblique, save, save_series, series_of

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes

GRID = oblique()  # 0.4 mm along i, 0.55 mm along j, slices 1.3 mm apart
VOXELS = np.random.default_rng(0).integers(0, 256, GRID.shape).astype(np.uint8)
DUMMY = ["1", "1"]


def region(delta_cm=(0.04, 0.055), units=3, **changes):
    return item(
        **{
            "RegionSpatialFormat": 1,
            "RegionDataType": 1,
            "PhysicalUnitsXDirection": units,
            "PhysicalUnitsYDirection": units,
            "PhysicalDeltaX": delta_cm[0],
            "PhysicalDeltaY": delta_cm[1],
            **changes,
        }
    )


def volume_with(folder, **attributes):
    slices = series_of(VOXELS, GRID)
    for dataset in slices:
        for name, value in attributes.items():
            setattr(dataset, name, value)
    return save_series(slices, folder / "series")


def frame_with(path, **attributes):
    dataset = dicom_image(VOXELS.T[:1], ULTRASOUND_IMAGE, "1.2.3")
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return save(dataset, path)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            {"PixelSpacing": DUMMY, "SequenceOfUltrasoundRegions": [region((0.03, 0.03))]},
            r"1 x 1 mm \(Pixel Spacing\) and 0\.3 x 0\.3 mm \(ultrasound region\)",
        ),
        ({"ImagerPixelSpacing": DUMMY}, r"0\.4 x 0\.55 mm \(Pixel Spacing\) and 1 x 1 mm \(Imager Pixel Spacing\)"),
        (
            {"NominalScannedPixelSpacing": DUMMY},
            r"0\.4 x 0\.55 mm \(Pixel Spacing\) and 1 x 1 mm \(Nominal Scanned Pixel Spacing\)",
        ),
        ({"ImagerPixelSpacing": ["0.55", "0.405"]}, r"0\.4 x 0\.55 mm .* and 0\.405 x 0\.55 mm"),
    ],
)
def test_contradicting_spacings_of_a_volume_are_refused_with_both_values(tmp_path, attributes, said):
    with pytest.raises(InputError, match=f"says that its pixels have {said}.*; export it again with one calibration"):
        read_volume(volume_with(tmp_path, **attributes))


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImagerPixelSpacing": ["0.552", "0.4"]},  # within 1 %
        {"SequenceOfUltrasoundRegions": [region()]},
        {"SequenceOfUltrasoundRegions": [region((-0.04, 0.055))]},
        {
            "SequenceOfUltrasoundRegions": [region(), region((1.0, 2.0), RegionSpatialFormat=3, RegionDataType=3)]
        },  # Doppler
        {"SequenceOfUltrasoundRegions": [region(), region((9.0, 9.0), units=4)]},  # seconds
        {"SequenceOfUltrasoundRegions": [region(), region((9.0, 9.0), RegionDataType=2)]},  # colour flow
        {"SequenceOfUltrasoundRegions": [], "ImagerPixelSpacing": None, "SpacingBetweenSlices": ""},
        {"SpacingBetweenSlices": "-1.3"},
        {"SpacingBetweenSlices": "1.305"},
        {"SliceThickness": "3"},  # is no distance
    ],
)
def test_spacings_that_agree_or_are_of_something_else_give_the_volume(tmp_path, attributes):
    volume = read_volume(volume_with(tmp_path, **attributes))

    assert volume.geometry.same_grid(GRID, 1e-6)
    np.testing.assert_array_equal(volume.voxels, VOXELS)


@pytest.mark.parametrize(
    ("attributes", "spacing"),
    [
        ({"PixelSpacing": None, "SequenceOfUltrasoundRegions": [region()]}, (0.4, 0.55)),
        ({"PixelSpacing": "", "ImagerPixelSpacing": ["0.55", "0.4"]}, (0.4, 0.55)),
        ({"PixelSpacing": ["0", "0"], "NominalScannedPixelSpacing": ["0.55", "0.4"]}, (0.4, 0.55)),
    ],
)
def test_the_first_source_that_tells_anything_counts(tmp_path, attributes, spacing):
    assert read_volume(volume_with(tmp_path, **attributes)).geometry.spacing == pytest.approx((*spacing, 1.3))


def test_two_tissue_regions_of_different_scale_are_refused(tmp_path):
    regions = [region((0.03, 0.03)), region((0.05, 0.05))]

    with pytest.raises(
        InputError, match=r"0\.3 x 0\.3 mm \(ultrasound region\) and 0\.5 x 0\.5 mm \(ultrasound region\)"
    ):
        read_volume(volume_with(tmp_path, PixelSpacing=None, SequenceOfUltrasoundRegions=regions))


@pytest.mark.parametrize("value", ["-.4", "nan", "inf"])
def test_a_spacing_that_is_no_length_is_refused(tmp_path, value):
    path = volume_with(tmp_path, PixelSpacing=["0.55", "0.4"])
    for file in path.iterdir():
        file.write_bytes(file.read_bytes().replace(b"0.55\\0.4", f"0.55\\{value}".encode()))

    with pytest.raises(InputError, match=r"Pixel Spacing|mm apart|spacing"):
        read_volume(path)


def test_functional_groups_that_contradict_the_image_are_refused(tmp_path):
    dataset = enhanced(VOXELS, GRID)
    dataset.PixelSpacing = DUMMY

    with pytest.raises(InputError, match=r"0\.4 x 0\.55 mm \(Pixel Measures\) and 1 x 1 mm \(Pixel Spacing\)"):
        read_volume(save(dataset, tmp_path / "a.dcm"))


@pytest.mark.parametrize("step", ["1", "-2", "1.32"])
@pytest.mark.parametrize("in_groups", [True, False])
def test_positions_that_contradict_the_spacing_between_slices_are_refused(tmp_path, step, in_groups):
    dataset = enhanced(VOXELS, GRID)
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    (measures if in_groups else dataset).SpacingBetweenSlices = step

    said = rf"slices 1\.3 mm apart by their positions, {step.strip('-')} mm by Spacing Between Slices"
    with pytest.raises(InputError, match=said):
        read_volume(save(dataset, tmp_path / "a.dcm"))


def test_contradicting_spacings_of_an_image_are_refused_and_the_pixel_size_that_one_gives_counts(tmp_path):
    path = frame_with(tmp_path / "a.dcm", PixelSpacing=DUMMY, SequenceOfUltrasoundRegions=[region((0.03, 0.03))])

    said = r"1 x 1 mm \(Pixel Spacing\) and 0\.3 x 0\.3 mm \(ultrasound region\); give the right one with --pixel-size"
    with pytest.raises(InputError, match=said):
        read_image(path)
    assert read_image(path, PixelSizes(otherwise=0.3)).geometry.spacing == (0.3, 0.3, 1.0)
    assert read_image(path, PixelSizes({"a": (0.3, 0.31)})).geometry.spacing == (0.3, 0.31, 1.0)


def test_an_image_whose_spacings_agree_is_read_without_help(tmp_path):
    path = frame_with(tmp_path / "a.dcm", PixelSpacing=["0.55", "0.4"], SequenceOfUltrasoundRegions=[region()])

    assert read_image(path).geometry.spacing == (0.4, 0.55, 1.0)


def test_a_label_with_contradicting_spacings_takes_that_of_its_image(tmp_path):
    path = frame_with(tmp_path / "a.dcm", PixelSpacing=DUMMY, ImagerPixelSpacing=["0.3", "0.3"])
    dataset = dicom_image((VOXELS.T[:1] > 99).astype(np.uint8), ULTRASOUND_IMAGE, "1.2.3")
    dataset.PixelSpacing, dataset.ImagerPixelSpacing = DUMMY, ["0.3", "0.3"]
    save(dataset, path)
    image = Geometry((7, 6, 1), (0.3, 0.3, 1.0), (0.0, 0.0, 0.0), np.eye(3))

    assert read_image_labels(path, image).geometry.spacing == (0.3, 0.3, 1.0)
