"""2-D images: what is read, how large its pixels are, and what is refused."""

from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid
from simulated_heads import write_png

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import find_images, read_volume, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.imaging.scan_files import dimension_of, dimension_of_folder

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20), dtype=np.uint8)  # rows, columns
HALF_MM = PixelSizes(otherwise=0.5)


def flat(shape=(20, 12), spacing=(0.2, 0.3)):
    return Geometry((*shape, 1), (*spacing, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def with_spacing(path, spacing=(0.2, 0.3)):
    image = SimpleITK.GetImageFromArray(PIXELS)
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(path))
    return path


def dicom_frame(path, frames=1, **elements):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SeriesInstanceUID = UltrasoundImageStorage, generate_uid()
    dataset.Rows, dataset.Columns = PIXELS.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.PixelData = PIXELS.tobytes() * frames
    for name, value in elements.items():
        setattr(dataset, name, value)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def region(delta_cm):
    found = Dataset()
    found.PhysicalUnitsXDirection = found.PhysicalUnitsYDirection = 3
    found.PhysicalDeltaX, found.PhysicalDeltaY = delta_cm
    return found


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff"])
def test_pictures_without_loss_are_read_exactly(tmp_path, suffix):
    image = read_image(write_png(tmp_path / f"a.{suffix}", PIXELS), HALF_MM)

    assert image.is_planar and image.name == "a"
    np.testing.assert_array_equal(image.voxels[..., 0].T, PIXELS)
    assert image.geometry.spacing == (0.5, 0.5, 1.0)


def test_a_jpeg_is_read_and_one_cut_short_is_refused(tmp_path):
    path = write_png(tmp_path / "a.jpg", PIXELS)
    assert read_image(path, HALF_MM).voxels.shape == (20, 12, 1)

    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.jpg: is cut short; copy or export"):
        read_image(path, HALF_MM)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_damaged_pictures_are_refused(tmp_path, suffix):
    path = write_png(tmp_path / f"a.{suffix}", PIXELS)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(InputError, match=r"damaged|cut short"):
        read_image(path, HALF_MM)


def test_colour_becomes_grey_by_its_luminance(tmp_path):
    colours = np.zeros((12, 20, 3), np.uint8)
    colours[..., 1] = PIXELS

    grey: NDArray[Any] = read_image(write_png(tmp_path / "a.png", colours), HALF_MM).voxels

    np.testing.assert_allclose(grey[..., 0].T, 0.587 * PIXELS, atol=0.51)


@pytest.mark.parametrize("suffix", ["nrrd", "nii", "nii.gz", "mha"])
def test_files_with_a_spacing_tell_their_pixel_size(tmp_path, suffix):
    image = read_image(with_spacing(tmp_path / f"a.{suffix}"))

    assert image.geometry.spacing[:2] == pytest.approx((0.2, 0.3))
    np.testing.assert_array_equal(image.voxels[..., 0].T, PIXELS)


def test_a_volume_of_one_slice_is_an_image_in_its_place(tmp_path):
    image = SimpleITK.GetImageFromArray(PIXELS[None])
    image.SetSpacing((0.2, 0.3, 2.0))
    image.SetOrigin((1.0, 2.0, 3.0))
    SimpleITK.WriteImage(image, str(tmp_path / "a.nrrd"))

    read = read_image(tmp_path / "a.nrrd")
    write_volume(tmp_path / "b.nrrd", read)

    assert read.geometry.origin == (1.0, 2.0, 3.0) and read.geometry.spacing == (0.2, 0.3, 2.0)
    assert read_image(tmp_path / "b.nrrd").geometry.same_grid(read.geometry)


def test_a_resolution_in_a_png_is_not_trusted(tmp_path):
    from PIL import Image

    Image.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(254, 254))

    with pytest.raises(InputError, match="does not say how large its pixels are; give its pixel size with --pixel"):
        read_image(tmp_path / "a.png")


def test_a_dicom_frame_is_read_with_its_pixel_spacing(tmp_path):
    image = read_image(dicom_frame(tmp_path / "a.dcm", PixelSpacing=[0.3, 0.2]))

    np.testing.assert_array_equal(image.voxels[..., 0].T, PIXELS)
    assert image.geometry.spacing == (0.2, 0.3, 1.0)


def test_an_ultrasound_region_in_centimetres_tells_the_pixel_size(tmp_path):
    image = read_image(dicom_frame(tmp_path / "a.dcm", SequenceOfUltrasoundRegions=[region((0.02, 0.03))]))

    assert image.geometry.spacing == pytest.approx((0.2, 0.3, 1.0))


def test_a_dicom_frame_without_calibration_takes_the_size_that_is_given(tmp_path):
    path = dicom_frame(tmp_path / "a.dcm")

    assert read_image(path, HALF_MM).geometry.spacing == (0.5, 0.5, 1.0)
    with pytest.raises(InputError, match="does not say how large its pixels are"):
        read_image(path)


def test_films_and_volumes_are_no_images(tmp_path):
    with pytest.raises(InputError, match="is no 2-D image but a volume, a film or a series"):
        read_image(dicom_frame(tmp_path / "a.dcm", frames=3))
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.stack([PIXELS, PIXELS])), str(tmp_path / "b.nrrd"))
    with pytest.raises(InputError, match="is no 2-D image but a volume of 20 x 12 x 2 voxels"):
        read_image(tmp_path / "b.nrrd")


@pytest.mark.parametrize("name", ["a.png", "a.nrrd", "a.dcm"])
def test_images_are_no_volumes_and_the_remedy_is_named(tmp_path, name):
    path = tmp_path / name
    {"png": write_png, "nrrd": lambda p, _: with_spacing(p), "dcm": lambda p, _: dicom_frame(p)}[name[2:]](path, PIXELS)

    with pytest.raises(InputError, match=r"2-D.*--dimension 2"):
        read_volume(path)


def test_a_folder_of_pictures_holds_no_volumes(tmp_path):
    write_png(tmp_path / "a.png", PIXELS)

    with pytest.raises(InputError, match="holds no volumes, only 2-D images; give 3-D volumes, or make a study"):
        find_images(tmp_path)
    assert list(find_images(tmp_path, dimension=2)) == ["a"]


def test_two_images_of_one_name_are_refused(tmp_path):
    write_png(tmp_path / "a.png", PIXELS)
    write_png(tmp_path / "a.bmp", PIXELS)

    with pytest.raises(InputError, match="two images of the name a"):
        find_images(tmp_path, dimension=2)


@pytest.mark.parametrize(("value", "problem"), [(np.nan, "NaN or infinite"), (7, "the value 7 in every voxel")])
def test_images_without_content_are_refused(tmp_path, value, problem):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.full((3, 4), value, np.float32)), str(tmp_path / "a.mha"))

    with pytest.raises(InputError, match=problem):
        read_image(tmp_path / "a.mha")


def test_the_dimension_of_a_folder_is_found_and_mixtures_are_refused(tmp_path):
    write_png(tmp_path / "a.png", PIXELS)
    dicom_frame(tmp_path / "b.dcm")
    assert dimension_of_folder(tmp_path) == 2

    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.stack([PIXELS, PIXELS])), str(tmp_path / "c.nrrd"))
    with pytest.raises(InputError, match=r"holds volumes \(c\.nrrd\) and 2-D images \(a\.png\); put them into two"):
        dimension_of_folder(tmp_path)


def test_a_slice_of_a_series_is_part_of_a_volume(tmp_path):
    path = dicom_frame(tmp_path / "a.dcm", ImagePositionPatient=[0, 0, 0])

    assert dimension_of(path) == 3


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_images_and_labels_are_written_as_2d_files_and_read_back(tmp_path, suffix):
    labels = LabelMap((PIXELS.T[..., None] > 99).astype(np.uint8), flat(), "a")
    write_label_map(tmp_path / f"a{suffix}", labels, {"Segment0_Name": "head"})

    read = read_image_labels(tmp_path / f"a{suffix}")

    assert SimpleITK.ReadImage(str(tmp_path / f"a{suffix}")).GetDimension() == 2
    assert read.geometry.same_grid(flat(), tolerance_voxels=1e-4)
    np.testing.assert_array_equal(read.voxels, labels.voxels)


def test_a_black_and_white_label_is_one_organ(tmp_path):
    mask = np.zeros((12, 20))
    mask[3:9, 4:15] = 255
    path = write_png(tmp_path / "a.png", mask)

    labels = read_image_labels(path, flat())

    assert set(np.unique(labels.voxels)) == {0, 1} and labels.geometry.spacing == (0.2, 0.3, 1.0)
    with pytest.raises(InputError, match="is black and white, but there are 2 organs; give class numbers"):
        read_image_labels(path, flat(), organs=2)


def test_class_numbers_stay_and_grey_colours_count_as_grey(tmp_path):
    classes = np.arange(240).reshape(12, 20) % 3
    grey = np.repeat(classes[..., None], 3, axis=2)

    labels = read_image_labels(write_png(tmp_path / "a.png", grey), flat())

    np.testing.assert_array_equal(labels.voxels[..., 0].T, classes)


@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        (PIXELS, r"holds grey values that are no labels \(0, .*\); give class numbers 0, 1, 2, \.\.\., or 0 and 255"),
        (np.full((12, 20), 255), "has the value 255 in every pixel; give 0 for background"),
        (np.zeros((12, 21)), "has 21 x 12 pixels, its image 20 x 12; give the label at the pixels of its image"),
        (np.stack([PIXELS, PIXELS.T.reshape(12, 20), PIXELS], axis=2), r"is not a label \(colour\)"),
    ],
    ids=["grey", "white", "size", "colour"],
)
def test_labels_that_are_none_are_refused(tmp_path, pixels, problem):
    with pytest.raises(InputError, match=problem):
        read_image_labels(write_png(tmp_path / "a.png", pixels), flat())


def test_an_outline_is_no_mask(tmp_path):
    y, x = np.mgrid[:60, :80]
    ring = np.abs(np.hypot((x - 40) / 30, (y - 30) / 20) - 1) < 0.05

    with pytest.raises(InputError, match="is the outline of an organ, not its area; fill the outline"):
        read_image_labels(write_png(tmp_path / "a.png", 255 * ring), flat((80, 60)))
