from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.stacking import Plane, stack

SERIES = Path("series")


@pytest.fixture
def geometry(oblique_geometry: Geometry) -> Geometry:
    """Oblique; right-handed, since planes are sorted along their normal."""
    return replace(oblique_geometry, direction=oblique_geometry.direction @ np.diag([1, 1, -1]))


@pytest.fixture
def voxels(geometry: Geometry) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, geometry.shape).astype(np.uint8)


@pytest.fixture
def planes(voxels: np.ndarray, geometry: Geometry) -> list[Plane]:
    return [_plane(voxels, geometry, k) for k in range(geometry.shape[2])]


def _plane(voxels: np.ndarray, geometry: Geometry, k: int, time: int = 0) -> Plane:
    position = np.array(geometry.index_to_physical((0, 0, k)))
    return Plane(voxels[:, :, k].T, position, geometry.direction[:, :2].T, geometry.spacing[:2], (time, k, 0))


def test_planes_in_any_order_become_the_volume(planes, voxels, geometry) -> None:
    shuffled = [planes[index] for index in np.random.default_rng(0).permutation(len(planes))]

    ((stacked, grid),) = stack(shuffled, SERIES)

    np.testing.assert_array_equal(stacked, voxels)
    assert grid.same_grid(geometry, 1e-6)


def test_planes_at_the_same_places_are_told_apart_by_their_time(planes, voxels, geometry) -> None:
    later = [_plane(voxels // 2, geometry, k, time=1) for k in range(geometry.shape[2])]

    first, second = stack([*later, *planes], SERIES)

    np.testing.assert_array_equal(first[0], voxels)
    np.testing.assert_array_equal(second[0], voxels // 2)
    assert first[1].same_grid(second[1])


def _missing(planes: list[Plane]) -> None:
    del planes[2]


def _uneven(planes: list[Plane]) -> None:
    planes[1].position += 0.02 * (planes[2].position - planes[1].position)


def _doubled(planes: list[Plane]) -> None:
    planes[1].position = planes[2].position


def _turned(planes: list[Plane]) -> None:
    planes[3].axes = np.eye(3)[:2]


def _shifted(planes: list[Plane]) -> None:
    planes[3].position += 0.1 * planes[3].axes[0]


def _of_another_size(planes: list[Plane]) -> None:
    planes[3].pixels = planes[3].pixels.T


def _of_another_spacing(planes: list[Plane]) -> None:
    planes[3].spacing = (1.0, 1.0)


def _all_at_one_place(planes: list[Plane]) -> None:
    for plane in planes:
        plane.position = np.zeros(3)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_missing, r"has slices 1\.3 to 2\.6 mm apart, uneven or with some missing"),
        (_uneven, "uneven or with some missing"),
        (_doubled, "several slices at one place"),
        (_turned, "slices turned against each other"),
        (_shifted, "slices shifted against each other"),
        (_of_another_size, "slices of different sizes"),
        (_of_another_spacing, "slices of different spacing"),
        (_all_at_one_place, "all its frames at one place"),
    ],
)
def test_planes_that_form_no_grid_are_refused(planes, damage, sentence: str) -> None:
    damage(planes)

    with pytest.raises(InputError, match=sentence):
        stack(planes, SERIES)
