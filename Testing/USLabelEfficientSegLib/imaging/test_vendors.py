"""Files of scanners in formats of their vendors are refused by name, wherever images enter."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from dicom_files import dicom_image, enhanced, item, oblique, save
from pydicom.dataset import Dataset
from pydicom.uid import UID, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume, split_frames, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.image_files import read_image
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.imaging.scan_files import read_scan
from USLabelEfficientSegLib.study.study import Study

KRETZ = b"KRETZFILE 1.0   " + bytes(range(64))
GE_MOVIE = "GEMS_Ultrasound_MovieGroup_001"


def volume_file(path: Path) -> Path:
    voxels = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    write_volume(path, Scan(voxels, Geometry(voxels.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), path.stem))
    return path


def screenshot() -> Dataset:
    return dicom_image(np.arange(48 * 64, dtype=np.uint8).reshape(1, 48, 64), UltrasoundImageStorage, "1.2.3")


def frames() -> Dataset:
    return dicom_image(np.arange(300, dtype=np.uint8).reshape(5, 6, 10), UltrasoundMultiFrameImageStorage, "1.2.3")


def with_kretz() -> Dataset:
    dataset = screenshot()
    dataset.private_block(0x7FE1, "KRETZ_US", create=True).add_new(0x01, "OB", KRETZ)
    return dataset


def with_kretz_alone() -> Dataset:
    dataset = with_kretz()
    for name in ("PixelData", "Rows", "Columns"):
        delattr(dataset, name)
    return dataset


def with_ge_movie(kind: str = "Trace+3D") -> Dataset:
    dataset, group = screenshot(), item()
    group.private_block(0x7FE1, GE_MOVIE, create=True).add_new(0x02, "LO", kind)
    dataset.private_block(0x7FE1, GE_MOVIE, create=True).add_new(0x01, "SQ", [group])
    return dataset


def of_philips() -> Dataset:
    dataset = frames()
    dataset.PixelSpacing = [0.2, 0.3]
    dataset.private_block(0x200D, "Philips US Imaging DD 036", create=True).add_new(0x03, "FD", [0.2, 0.3, 0.4])
    return dataset


def of_qlab() -> Dataset:
    dataset = frames()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.113543.6.6.1.3.10002")
    return dataset


def of_artemis() -> Dataset:
    dataset = frames()
    dataset.Manufacturer, dataset.ManufacturerModelName = "Eigen", "Artemis"
    return dataset


IN_DICOM = {
    "Kretz": (with_kretz, r"a GE Kretz volume \(Voluson\) in DICOM; load it through the DICOM module"),
    "Kretz without a picture": (with_kretz_alone, "a GE Kretz volume"),
    "GE": (with_ge_movie, "a GE volume in private DICOM elements .*Image3dAPI"),
    "Philips": (of_philips, r"a Philips volume .*\(Affiniti\); .*SlicerHeart"),
    "QLAB": (of_qlab, "a Cartesian export of Philips QLAB.*Philips 4D US DICOM patcher"),
    "Artemis": (of_artemis, "an Eigen Artemis volume.*SlicerHeart"),
}


@pytest.mark.parametrize("name", ["a.vol", "a.v00", "without ending", "a.nrrd", "a.nii.gz", "a.png"])
@pytest.mark.parametrize("read", [read_volume, split_frames, read_scan, read_image, read_label_map])
def test_a_kretz_file_is_told_by_its_first_bytes_whatever_its_name(tmp_path, name, read):
    (tmp_path / name).write_bytes(KRETZ)

    with pytest.raises(InputError, match=r"is a GE Kretz volume \(Voluson\); load it in 3D Slicer .* SlicerHeart"):
        read(tmp_path / name)


def test_a_samsung_file_is_told_by_its_ending(tmp_path):
    (tmp_path / "a.MVL").write_bytes(bytes(100))

    with pytest.raises(InputError, match=r"is a Samsung or Medison volume .*; export it as Cartesian DICOM"):
        read_volume(tmp_path / "a.MVL")


def test_other_files_named_vol_are_just_of_no_known_format(tmp_path):
    (tmp_path / "a.vol").write_bytes(b"mdvol1" + bytes(100))

    with pytest.raises(InputError, match="is not of a format that can be read"):
        read_volume(tmp_path / "a.vol")


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_folder_of_vendors_files_alone_is_refused_by_their_name(tmp_path, dimension):
    (tmp_path / "a.vol").write_bytes(KRETZ)
    (tmp_path / "notes.txt").write_text("scanned on Monday")

    with pytest.raises(InputError, match=r"a\.vol: is a GE Kretz volume"):
        find_images(tmp_path, dimension)
    with pytest.raises(InputError, match="is a GE Kretz volume"):
        Study.create(tmp_path / "study", tmp_path, None, organs=["head"])
    assert not (tmp_path / "study").exists()


def test_vendors_files_beside_images_are_told_unless_they_were_converted(tmp_path):
    volume_file(tmp_path / "a.nrrd")
    for name in ("a.vol", "b.vol", "c.vol", ".hidden.vol"):
        (tmp_path / name).write_bytes(KRETZ)

    with pytest.warns(Notice, match=r"passed over: b\.vol and 1 more, which is a GE Kretz volume.*SlicerHeart"):
        assert list(find_images(tmp_path)) == ["a"]
    (tmp_path / "b.vol").unlink()
    (tmp_path / "c.vol").unlink()
    with warnings.catch_warnings(action="error"):
        assert list(find_images(tmp_path)) == ["a"]


@pytest.mark.parametrize("kind", IN_DICOM)
def test_a_volume_that_a_vendor_hides_in_dicom_is_refused_by_its_name(tmp_path, kind):
    make, sentence = IN_DICOM[kind]
    path = save(make(), tmp_path / "folder" / "a.dcm")

    for given in (path, path.parent):
        with pytest.raises(InputError, match=rf"a\.dcm: is {sentence}"):
            read_volume(given)


@pytest.mark.parametrize("kind", ["Kretz", "GE"])
def test_the_screenshot_of_a_hidden_volume_is_no_image(tmp_path, kind):
    make, sentence = IN_DICOM[kind]

    with pytest.raises(InputError, match=sentence):
        read_image(save(make(), tmp_path / "a.dcm"))


def test_an_image_with_raw_data_of_its_vendor_is_read(tmp_path):
    dataset = with_ge_movie("Trace+2D")
    dataset.PixelSpacing = [0.2, 0.3]

    assert read_image(save(dataset, tmp_path / "a.dcm")).geometry.spacing[:2] == (0.3, 0.2)


def test_a_volume_that_tells_its_grid_by_the_standard_is_read_whatever_else_it_holds(tmp_path):
    grid = oblique()
    voxels = np.random.default_rng(0).integers(0, 256, grid.shape).astype(np.uint8)
    dataset = enhanced(voxels, grid)
    dataset.private_block(0x200D, "Philips US Imaging DD 036", create=True).add_new(0x03, "FD", [9.0, 9.0, 9.0])
    dataset.Manufacturer, dataset.ManufacturerModelName = "Eigen", "Artemis"

    volume = read_volume(save(dataset, tmp_path / "a.dcm"))

    assert volume.geometry.same_grid(grid) and (volume.voxels == voxels).all()
