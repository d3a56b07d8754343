import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.orientation import oriented, reordering
from USLabelEfficientSegLib.imaging.scan import Scan

TILT = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
SPACING, ORIGIN = (0.5, 0.7, 2.0), (3.0, -4.0, 5.0)
PERMUTED = [[0, 0, -1], [1, 0, 0], [0, -1, 0]]  # i runs to P, j to I, k to R


def volume(direction, shape=(4, 5, 6)):
    voxels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    return Scan(voxels, Geometry(shape, SPACING, ORIGIN, direction), "a")


@pytest.mark.parametrize(
    ("direction", "codes"),
    [(np.eye(3), "LPS"), (-np.eye(3), "RAI"), (PERMUTED, "PIR"), (TILT, "LPS"), (TILT @ np.diag([-1, 1, 1]), "RPS")],
)
def test_axes_are_told_by_the_side_that_they_run_to(direction, codes):
    assert volume(direction).geometry.axis_codes == codes


@pytest.mark.parametrize("direction", [np.eye(3), -np.eye(3), PERMUTED, TILT, TILT @ np.array(PERMUTED)])
def test_every_voxel_stays_where_it_is_in_the_patient_and_goes_back(direction):
    stored = volume(direction)
    order = reordering(stored.geometry)
    anatomical = oriented(stored, "anatomical")

    assert anatomical.geometry.axis_codes == "LPS"
    for index in np.ndindex(anatomical.voxels.shape):
        own = np.rint(stored.geometry.physical_to_index(anatomical.geometry.index_to_physical(index))).astype(int)
        assert anatomical.voxels[index] == stored.voxels[tuple(own)]
        np.testing.assert_allclose(
            stored.geometry.index_to_physical(own), anatomical.geometry.index_to_physical(index), atol=1e-9
        )
    np.testing.assert_array_equal(order.undo(anatomical.voxels), stored.voxels)
    channels = np.stack([stored.voxels, stored.voxels + 1])
    np.testing.assert_array_equal(order.undo(order.apply(channels)), channels)
    assert oriented(stored, "as-stored") is stored


def test_a_grid_can_be_brought_to_any_sides():
    assert reordering(volume(PERMUTED).geometry, "SAR").grid(volume(PERMUTED).geometry).axis_codes == "SAR"
