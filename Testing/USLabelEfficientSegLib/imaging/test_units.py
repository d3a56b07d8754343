import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_geometry, read_label_map, read_volume, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan

NRRD = "NRRD0004\ntype: unsigned char\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n{}\n\n"
META = "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\n{}ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
VOXELS = bytes(range(8))


def nrrd(path, fields):
    path.write_bytes(NRRD.format(fields).replace("\n\n\n", "\n\n").encode() + VOXELS)
    return path


def nifti(path, spacing=None, units=None):
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(8, dtype=np.uint8).reshape(2, 2, 2)), str(path))
    compressed = path.name.endswith(".gz")
    header = bytearray(gzip.decompress(path.read_bytes()) if compressed else path.read_bytes())
    if spacing is not None:
        struct.pack_into("<3f", header, 80, *spacing)
    if units is not None:
        header[123] = units
    path.write_bytes(gzip.compress(bytes(header)) if compressed else bytes(header))
    return path


@pytest.mark.parametrize("suffix", ["nrrd", "nii", "nii.gz", "mha"])
def test_files_that_are_written_with_their_spacing_are_read(tmp_path, suffix):
    geometry = Geometry((3, 4, 5), (0.5, 0.6, 0.7), (0.0, 0.0, 0.0), np.eye(3))
    path = tmp_path / f"a.{suffix}"
    write_volume(path, Scan(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), geometry, "a"))

    assert read_volume(path).geometry.spacing == pytest.approx((0.5, 0.6, 0.7))


@pytest.mark.parametrize("fields", ["", "spacings: nan nan nan", "kinds: domain domain domain"])
def test_a_nrrd_file_without_spacing_is_refused(tmp_path, fields):
    with pytest.raises(InputError, match="does not say how large its voxels are"):
        read_label_map(nrrd(tmp_path / "a.nrrd", fields))


def test_a_meta_image_without_spacing_is_refused(tmp_path):
    path = tmp_path / "a.mha"
    path.write_bytes(META.format("").encode() + VOXELS)

    with pytest.raises(InputError, match="does not say how large its voxels are"):
        read_volume(path)


def test_a_meta_image_with_element_size_is_read(tmp_path):
    path = tmp_path / "a.mha"
    path.write_bytes(META.format("ElementSize = 1 2 3\n").encode() + VOXELS)

    assert read_geometry(path).spacing == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_nifti_file_without_spacing_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="does not say how large its voxels are"):
        read_volume(nifti(tmp_path / name, spacing=(0.0, 0.0, 0.0)))


@pytest.mark.parametrize(("units", "name"), [(1, "metres"), (3, "micrometres"), (11, "micrometres")])
def test_a_nifti_file_in_another_unit_is_refused(tmp_path, units, name):
    with pytest.raises(InputError, match=f"has its spacing in {name}"):
        read_volume(nifti(tmp_path / "a.nii", units=units))


@pytest.mark.parametrize("units", [0, 2, 10])
def test_a_nifti_file_in_millimetres_or_without_a_unit_is_read(tmp_path, units):
    assert read_volume(nifti(tmp_path / "a.nii", units=units)).geometry.spacing == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "fields",
    [
        'spacings: 1 1 1\nunits: "cm" "cm" "cm"',
        'space dimension: 3\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nspace units: "um" "um" "um"',
    ],
)
def test_a_nrrd_file_in_another_unit_is_refused(tmp_path, fields):
    with pytest.raises(InputError, match=r"has its spacing in (cm|um)"):
        read_volume(nrrd(tmp_path / "a.nrrd", fields))


def test_a_nrrd_file_in_millimetres_is_read(tmp_path):
    fields = 'space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nspace units: "mm" "mm" "mm"'

    assert read_volume(nrrd(tmp_path / "a.nrrd", fields)).geometry.spacing == (1.0, 1.0, 2.0)
