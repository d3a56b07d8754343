import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan, as_volume


def _grey(shape: tuple[int, int, int]) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)


def test_a_volume_of_another_shape_than_its_grid_is_refused(oblique_geometry: Geometry) -> None:
    with pytest.raises(InputError, match=r"case: has voxels of shape \(9, 12, 7\) on a grid of \(12, 9, 7\)"):
        Scan(_grey((9, 12, 7)), oblique_geometry, "case")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_volume_that_is_not_finite_is_refused(oblique_geometry: Geometry, bad: float) -> None:
    voxels = _grey(oblique_geometry.shape).astype(np.float32)
    voxels[3, 4, 5] = bad

    with pytest.raises(InputError, match="case: holds NaN or infinite values"):
        Scan(voxels, oblique_geometry, "case")


def test_a_constant_volume_is_refused_but_an_empty_label_map_is_not(oblique_geometry: Geometry) -> None:
    zeros = np.zeros(oblique_geometry.shape, np.uint8)

    with pytest.raises(InputError, match="case: has the value 0 in every voxel"):
        Scan(zeros, oblique_geometry, "case")
    assert not LabelMap(zeros, oblique_geometry, "case").voxels.any()


@pytest.mark.parametrize("kind", [Scan, LabelMap])
def test_one_slice_is_a_2d_image_and_is_refused_where_a_volume_is_needed(kind: type) -> None:
    flat = Geometry((4, 4, 1), (1, 1, 1), (0, 0, 0), np.eye(3))
    image = kind(_grey((4, 4, 1)).astype(np.uint8), flat, "case")

    assert image.is_planar
    with pytest.raises(InputError, match=r"case: is no volume \(size 4 x 4 x 1\)"):
        as_volume(image)


def test_a_volume_is_one_wherever_it_is_needed(oblique_geometry: Geometry) -> None:
    volume = Scan(_grey(oblique_geometry.shape), oblique_geometry, "case")

    assert not volume.is_planar and as_volume(volume) is volume


@pytest.mark.parametrize("shape", [(1, 4, 4), (4, 1, 1), (4, 1, 4)])
def test_a_line_of_voxels_is_neither_a_volume_nor_an_image(shape: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="case: is neither a volume nor a 2-D image"):
        Scan(_grey(shape), Geometry(shape, (1, 1, 1), (0, 0, 0), np.eye(3)), "case")


def test_a_label_map_is_uint8(oblique_geometry: Geometry) -> None:
    with pytest.raises(InputError, match="int64"):
        LabelMap(np.zeros(oblique_geometry.shape, np.int64), oblique_geometry, "case")


@pytest.mark.parametrize("factor", [1e-25, 1e20])
def test_grey_values_whose_squares_are_no_numbers_are_refused(oblique_geometry: Geometry, factor: float) -> None:
    voxels = _grey(oblique_geometry.shape).astype(np.float32) * np.float32(factor)

    with pytest.raises(InputError, match=r"case: holds grey values of up to .*; store them in another unit"):
        Scan(voxels, oblique_geometry, "case")
