import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.planes import plane_name, slice_name, slices_name


def turned(degrees):
    """Axes turned about the patient's long axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def names(direction):
    return [plane_name(direction, axis) for axis in range(3)]


def test_slices_are_counted_from_one_and_named_by_their_plane():
    assert slice_name(np.eye(3), 1, 24, 48) == "coronal, slice 25 of 48"
    assert slice_name(np.eye(3), 0, 0, 16) == "sagittal, slice 1 of 16"
    assert slice_name(np.eye(3), 2, 15, 16) == "axial, slice 16 of 16"


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (0, 2, 1)])
def test_permuted_and_flipped_axes_keep_the_planes_of_the_patient(order, signs):
    direction = np.zeros((3, 3))
    direction[order, range(3)] = signs

    assert names(direction) == [("sagittal", "coronal", "axial")[lps] for lps in order]
    assert names(direction * (0.2, 3.0, 1.5)) == names(direction)  # columns of any length


def test_oblique_slices_have_the_name_of_the_nearest_plane():
    assert names(turned(30)) == ["sagittal", "coronal", "axial"]
    assert names(turned(60)) == ["coronal", "sagittal", "axial"]


def test_slices_between_two_planes_are_named_by_their_array_axis():
    assert names(turned(45)) == ["axis i", "axis j", "axial"]
    assert slice_name(turned(45), 0, 3, 24) == "axis i, slice 4 of 24"


def test_two_axes_of_a_volume_never_bear_the_same_name():
    for matrix in np.random.default_rng(0).normal(size=(2000, 3, 3)):
        direction = np.linalg.qr(matrix)[0]
        assert len(set(names(direction))) == 3


def test_several_slices_are_named_together():
    assert slices_name(np.eye(3), 2, [11, 2], 48) == "axial, slices 3, 12 of 48"
    assert slices_name(np.eye(3), 2, [11], 48) == "axial, slice 12 of 48"
    assert slices_name(np.eye(3), 2, range(48), 48) == "axial, all 48 slices"
