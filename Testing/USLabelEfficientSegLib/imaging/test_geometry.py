from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry, check_voxel_count


def test_index_to_physical_follows_the_axes(oblique_geometry: Geometry) -> None:
    g = oblique_geometry

    np.testing.assert_allclose(g.index_to_physical((0, 0, 0)), g.origin)
    for axis in range(3):
        step = g.index_to_physical(np.eye(3)[axis]) - g.origin
        np.testing.assert_allclose(step, g.direction[:, axis] * g.spacing[axis], atol=1e-12)


def test_physical_to_index_inverts_index_to_physical(oblique_geometry: Geometry) -> None:
    indices = np.random.default_rng(0).uniform(-5, 20, (4, 5, 3))

    there_and_back = oblique_geometry.physical_to_index(oblique_geometry.index_to_physical(indices))

    np.testing.assert_allclose(there_and_back, indices, atol=1e-9)


def test_voxel_volume_is_in_millilitres(oblique_geometry: Geometry) -> None:
    assert oblique_geometry.voxel_volume_ml == pytest.approx(0.4 * 0.55 * 1.3 / 1000)


def test_same_grid_tolerates_a_twentieth_of_a_voxel(oblique_geometry: Geometry) -> None:
    g = oblique_geometry

    def shifted(voxels: float) -> Geometry:
        return Geometry(g.shape, g.spacing, tuple(g.index_to_physical((voxels, 0, 0))), g.direction)

    assert g.same_grid(shifted(0.049))
    assert not g.same_grid(shifted(0.051))
    assert g.same_grid(shifted(0.051), tolerance_voxels=0.06)


def test_same_grid_sees_a_flip_a_scale_and_a_crop(oblique_geometry: Geometry) -> None:
    g = oblique_geometry

    assert not g.same_grid(Geometry(g.shape, g.spacing, g.origin, -g.direction))
    assert not g.same_grid(Geometry(g.shape, (0.4, 0.55, 1.32), g.origin, g.direction))
    assert not g.same_grid(Geometry((12, 9, 6), g.spacing, g.origin, g.direction))


def test_direction_is_a_read_only_copy() -> None:
    mine = np.eye(3)
    geometry = Geometry((2, 2, 2), (1, 1, 1), (0, 0, 0), mine)
    mine[0, 0] = 5

    assert geometry.direction[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        geometry.direction[0, 0] = 5


@pytest.mark.parametrize(
    ("shape", "spacing", "origin", "direction"),
    [
        ((4, 4), (1, 1), (0, 0), np.eye(2)),
        ((4, 4, 0), (1, 1, 1), (0, 0, 0), np.eye(3)),
        ((4, 4, 4), (1, 0, 1), (0, 0, 0), np.eye(3)),
        ((4, 4, 4), (1, np.nan, 1), (0, 0, 0), np.eye(3)),
        ((4, 4, 4), (1, 1, 1), (0, np.inf, 0), np.eye(3)),
        ((4, 4, 4), (1, 1, 1), (0, 0, 0), np.eye(3) + np.eye(3, k=1)),
    ],
)
def test_an_impossible_geometry_is_refused(shape, spacing, origin, direction) -> None:
    with pytest.raises(InputError, match="image geometry"):
        Geometry(shape, spacing, origin, direction)


def test_more_than_two_to_the_31_voxels_are_refused() -> None:
    check_voxel_count((2048, 1024, 1024), "case")
    with pytest.raises(InputError, match="case: has 2048 x 1024 x 1025 voxels"):
        check_voxel_count((2048, 1024, 1025), "case")


def test_headers_rounded_by_other_programs_are_of_the_same_grid() -> None:
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    exact = Geometry((60, 50, 40), (0.3122, 0.3122, 0.5), (-35.123456789, 81.75, -12.125), turned)
    (x, y, z), axes = ([float(f"{x:.6g}") for x in np.ravel(values)] for values in (exact.origin, turned))
    six_digits = Geometry(exact.shape, exact.spacing, (x, y, z), np.reshape(axes, (3, 3)))
    three_decimals = Geometry(exact.shape, (0.312, 0.312, 0.5), (-35.123, 81.75, -12.125), exact.direction)

    assert exact.same_grid(six_digits) and exact.same_grid(three_decimals)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"shape": (12, 9, 6)}, "has 12 x 9 x 7 voxels, not 12 x 9 x 6"),
        (
            {"spacing": (0.4, 0.55, 1.32)},
            "lies up to 0.0923 voxels (0.12 mm) off: its spacing is (0.4, 0.55, 1.3), not (0.4, 0.55, 1.32)",
        ),
        ({"origin": (-35.2, 81.75, -12.025)}, "its origin is (-35.2, 81.75, -12.12), not (-35.2, 81.75, -12.03)"),
        ({"spacing": (0.4, 0.55, 1.3000001)}, "its spacing is (0.4, 0.55, 1.3), not (0.4, 0.55, 1.3000001)"),
    ],
)
def test_a_difference_names_the_field_and_never_shows_equal_numbers(
    oblique_geometry: Geometry, changed: dict[str, Any], told: str
) -> None:
    assert told in oblique_geometry.difference(replace(oblique_geometry, **changed))


@pytest.mark.parametrize(
    ("direction", "codes"),
    [
        (np.eye(3), "LPS"),
        (np.diag([-1, -1, 1]), "RAS"),
        (np.diag([1, 1, -1]), "LPI"),
        (np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]]), "PIL"),
        (np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]), "LPS"),
    ],
)
def test_axes_are_named_after_the_nearest_directions_of_the_patient(direction: np.ndarray, codes: str) -> None:
    assert Geometry((2, 3, 4), (1, 1, 1), (0, 0, 0), direction).axis_codes == codes


def test_two_axes_never_have_the_same_direction() -> None:
    """Here each of the first two lies nearest to left or right."""
    left, _, right = np.linalg.svd(np.array([[0.7, -0.7, 0.0], [0.5, 0.5, -0.71], [0.51, 0.51, 0.7]]))

    codes = Geometry((2, 3, 4), (1, 1, 1), (0, 0, 0), left @ right).axis_codes

    assert codes in ("LPS", "LSA")
