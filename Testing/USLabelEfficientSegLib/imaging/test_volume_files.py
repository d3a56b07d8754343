"""What SimpleITK writes is read as SimpleITK reads it, to the last bit of the voxels and 1e-9 of the grid."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.disk.suffixes import READ_SUFFIXES
from USLabelEfficientSegLib.imaging.files import read_geometry
from USLabelEfficientSegLib.imaging.volume_files import read_header, read_slice, read_volumes

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")
NOT_IN_GIPL = ("uint32", "int32", "uint64", "int64")


def directions() -> dict[str, np.ndarray]:
    turned, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    return {"plain": np.eye(3), "oblique": turned, "flipped": np.diag([-1.0, 1, -1])[[1, 0, 2]]}


@pytest.mark.parametrize("suffix", READ_SUFFIXES)
@pytest.mark.parametrize("name", ["plain", "oblique", "flipped"])
def test_volumes_are_read_as_simpleitk_reads_them(tmp_path: Path, suffix: str, name: str) -> None:
    rng = np.random.default_rng(0)
    for kind, compressed in itertools.product(TYPES, (False, True)):
        if "gipl" in suffix and (kind in NOT_IN_GIPL or name != "plain"):
            continue
        image = sitk.GetImageFromArray(rng.normal(0, 30, (5, 6, 7)).astype(np.int64).astype(kind))
        image.SetSpacing((0.3, 0.41, 1.7))
        image.SetOrigin(tuple(rng.normal(0, 50, 3)))
        image.SetDirection(directions()[name].ravel().tolist())
        path = tmp_path / f"{kind}{compressed}{suffix}"
        sitk.WriteImage(image, str(path), compressed)
        expected = sitk.ReadImage(str(path))

        ((voxels, geometry),) = read_volumes(read_header(path))

        assert voxels.dtype == sitk.GetArrayViewFromImage(expected).dtype and voxels.flags.c_contiguous
        np.testing.assert_array_equal(voxels.T, sitk.GetArrayViewFromImage(expected))
        for grid in (geometry, read_geometry(path)):
            np.testing.assert_allclose(grid.spacing, expected.GetSpacing(), rtol=0, atol=1e-9)
            np.testing.assert_allclose(grid.origin, expected.GetOrigin(), rtol=0, atol=1e-9)
            np.testing.assert_allclose(grid.direction.ravel(), expected.GetDirection(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii", ".nii.gz", ".gipl"])
def test_points_in_time_and_slices_are_read_as_simpleitk_reads_them(tmp_path: Path, suffix: str) -> None:
    array = np.random.default_rng(0).integers(0, 255, (3, 4, 5, 6)).astype(np.uint8)
    film = sitk.GetImageFromArray(array, isVector=False)
    film.SetSpacing((0.3, 0.4, 0.5, 2.0))
    sitk.WriteImage(film, str(tmp_path / f"film{suffix}"))
    picture = sitk.GetImageFromArray(array[0, 0])
    picture.SetSpacing((0.3, 0.4))
    sitk.WriteImage(picture, str(tmp_path / f"picture{suffix}"))

    frames = read_volumes(read_header(tmp_path / f"film{suffix}"))
    pixels, grid = read_slice(read_header(tmp_path / f"picture{suffix}"))

    np.testing.assert_array_equal(np.stack([voxels.T for voxels, _ in frames]), array)
    np.testing.assert_allclose(frames[0][1].spacing, (0.3, 0.4, 0.5), rtol=1e-6)
    np.testing.assert_array_equal(pixels[..., 0].T, array[0, 0])
    np.testing.assert_allclose(grid.spacing, (0.3, 0.4, 1.0), rtol=1e-6)
