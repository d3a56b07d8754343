import os
import subprocess
import sys

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging import resampling
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.resampling import (
    axis_matrix,
    resample_axes,
    resample_slab,
    resample_slice,
    working_geometry,
)


def _ramp(geometry: Geometry) -> np.ndarray:
    """A linear function of the physical position, at every voxel centre."""
    centres = geometry.index_to_physical(np.moveaxis(np.indices(geometry.shape), 0, -1))
    return centres @ [0.7, -1.1, 0.4] + 3.0


def _outer_corners(geometry: Geometry) -> np.ndarray:
    corners = np.indices((2, 2, 2)).reshape(3, 8).T * np.array(geometry.shape) - 0.5
    return geometry.index_to_physical(corners)


def _on_shape(geometry: Geometry, shape: tuple[int, int, int]) -> Geometry:
    """The grid of another shape between the same outer corners."""
    spacing = np.array(geometry.spacing) * geometry.shape / shape
    first = (spacing / geometry.spacing - 1) / 2
    return Geometry(shape, tuple(spacing), tuple(geometry.index_to_physical(first)), geometry.direction)


@pytest.mark.parametrize(("n_in", "n_out"), [(12, 4), (12, 5), (7, 6), (5, 1), (5, 5), (5, 7), (3, 12), (1, 4)])
def test_rows_of_the_axis_matrix_are_weights(n_in: int, n_out: int) -> None:
    matrix = axis_matrix(n_in, n_out)

    assert matrix.shape == (n_out, n_in)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)


def test_coarser_voxels_average_by_exact_overlap() -> None:
    np.testing.assert_allclose(axis_matrix(5, 2) * 5, [[2, 2, 1, 0, 0], [0, 0, 1, 2, 2]], atol=1e-6)


def test_finer_voxels_are_linear_between_centres_and_constant_outside() -> None:
    np.testing.assert_allclose(axis_matrix(2, 4), [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]], atol=1e-6)


def test_the_same_shape_changes_nothing() -> None:
    array = np.random.default_rng(0).random((2, 5, 4, 3), dtype=np.float32)

    np.testing.assert_array_equal(resample_axes(array, (5, 4, 3)), array)


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 9, 3), (9, 5, 12), (7, 7, 7)])
def test_slices_that_are_resampled_together_have_the_bits_of_one_at_a_time(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.random.default_rng(0).random((2, 7, 8, 6), dtype=np.float32)
    together = resample_axes(array, shape)
    monkeypatch.setattr(resampling, "_AT_ONCE", 1)

    np.testing.assert_array_equal(resample_axes(array, shape), together)


def test_coarsening_keeps_the_volume_of_a_label() -> None:
    label = np.random.default_rng(0).random((23, 17, 11)) > 0.7

    coarse = resample_axes(label.astype(np.uint8), (9, 13, 4))

    assert coarse.sum() * (23 * 17 * 11) / (9 * 13 * 4) == pytest.approx(label.sum(), rel=1e-5)


@pytest.mark.parametrize("factor", [(2, 3, 1), (3, 1, 7)])
def test_coarsening_a_ramp_by_whole_factors_evaluates_it_at_the_new_centres(
    oblique_geometry: Geometry, factor: tuple[int, int, int]
) -> None:
    native = _on_shape(oblique_geometry, tuple(np.multiply(oblique_geometry.shape, factor)))

    coarse = resample_axes(_ramp(native), oblique_geometry.shape)

    np.testing.assert_allclose(coarse, _ramp(oblique_geometry), rtol=1e-5)


def test_coarsening_a_ramp_is_off_by_at_most_an_eighth_of_a_native_voxel(oblique_geometry: Geometry) -> None:
    # A voxel that lies only partly in the mean still counts with the value of its own centre.
    g = oblique_geometry
    coarser = _on_shape(g, (8, 4, 6))
    slopes = np.abs((np.diag(g.spacing) @ g.direction.T) @ [0.7, -1.1, 0.4])

    error = np.abs(resample_axes(_ramp(g), coarser.shape) - _ramp(coarser))

    assert error.max() <= slopes.sum() / 8 + 1e-4
    assert error.mean() < slopes.sum() / 16


def test_refining_a_ramp_evaluates_it_at_the_new_centres(oblique_geometry: Geometry) -> None:
    finer = _on_shape(oblique_geometry, (31, 24, 15))
    inside = oblique_geometry.physical_to_index(finer.index_to_physical(np.moveaxis(np.indices(finer.shape), 0, -1)))
    interior = ((inside >= 0) & (inside <= np.array(oblique_geometry.shape) - 1)).all(axis=-1)

    fine = resample_axes(_ramp(oblique_geometry), finer.shape)

    assert interior.mean() > 0.5
    np.testing.assert_allclose(fine[interior], _ramp(finer)[interior], rtol=1e-5)


def test_a_slab_is_a_part_of_the_whole() -> None:
    coarse = np.random.default_rng(0).random((3, 5, 6, 7), dtype=np.float32)
    whole = resample_axes(coarse, (11, 6, 23))

    slabs = [resample_slab(coarse, (11, 6, 23), k, min(k + 6, 23)) for k in range(0, 23, 6)]

    np.testing.assert_allclose(np.concatenate(slabs, axis=-1), whole, atol=1e-6)


def test_the_working_grid_keeps_the_outer_corners(oblique_geometry: Geometry) -> None:
    for limit in (3, 5, 8, 11):
        working = working_geometry(oblique_geometry, limit)
        np.testing.assert_allclose(_outer_corners(working), _outer_corners(oblique_geometry), atol=1e-9)
        assert max(working.shape) == limit


def test_the_working_grid_becomes_isotropic_before_it_loses_slices() -> None:
    native = Geometry((479, 394, 29), (0.2, 0.2, 2.0), (0, 0, 0), np.eye(3))

    working = working_geometry(native, 96)

    assert working.shape == (96, 79, 29)
    np.testing.assert_allclose(working.spacing, (479 * 0.2 / 96, 394 * 0.2 / 79, 2.0))


def test_a_grid_that_is_coarse_enough_stays(oblique_geometry: Geometry) -> None:
    assert working_geometry(oblique_geometry, 12).same_grid(oblique_geometry, 1e-12)


def test_a_thin_axis_keeps_one_voxel() -> None:
    native = Geometry((400, 400, 2), (1.0, 1.0, 1.0), (0, 0, 0), np.eye(3))

    assert working_geometry(native, 20).shape == (20, 20, 1)


def test_a_grid_without_voxels_is_an_error(oblique_geometry: Geometry) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        working_geometry(oblique_geometry, 0)


def test_a_coarser_volume_has_the_same_bits_whatever_the_number_of_threads() -> None:
    program = (
        "import hashlib, numpy as np\n"
        "from USLabelEfficientSegLib.imaging.resampling import resample_axes\n"
        "voxels = np.random.default_rng(0).integers(0, 256, (96, 300, 200)).astype(np.uint8)\n"
        "print(hashlib.sha256(resample_axes(voxels, (40, 41, 30)).tobytes()).hexdigest())\n"
    )

    def digest(threads: int) -> str:
        environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert digest(1) == digest(2) != ""


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_is_that_of_the_whole(axis):
    coarse = np.random.default_rng(2).random((2, 7, 5, 9)).astype(np.float32)
    whole = resample_axes(coarse, (11, 6, 23))

    for index in (0, 3, whole.shape[axis + 1] - 1):
        np.testing.assert_allclose(
            resample_slice(coarse, (11, 6, 23), axis, index), whole.take(index, axis + 1), atol=1e-6
        )
