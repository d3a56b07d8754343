from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.usable_slices import sector_shares, usable_slices
from USLabelEfficientSegLib.imaging.simulator import simulate_volume

HALF_EMPTY = np.zeros((24, 26, 20), dtype=np.uint8)
HALF_EMPTY[:, :, 6:] = np.random.default_rng(0).integers(60, 250, (24, 26, 14))


@pytest.fixture(scope="module")
def image():
    return simulate_volume(0, shape=(24, 26, 20), spacing=(3.3, 3.1, 4.0)).volume


def test_slices_outside_the_sector_show_little():
    across, along, stack = sector_shares(HALF_EMPTY)

    assert stack[:4].max() < 0.25
    assert stack[8:].min() > 0.9
    assert (len(across), len(along), len(stack)) == HALF_EMPTY.shape
    assert across.min() > 0.9 and along.min() > 0.9


def test_slices_that_show_little_are_not_usable(image):
    usable = usable_slices(replace(image, voxels=HALF_EMPTY), slice_axis=2)

    assert not usable[2][:4].any() and usable[2][8:].all()
    assert usable[0].all() and usable[1].all()


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
@pytest.mark.parametrize("thick", [0, 1, 2])
def test_a_cut_with_oblong_pixels_is_usable_only_along_the_slice_axis(image, slice_axis, thick):
    spacing = tuple(3.5 if axis == thick else 1.0 for axis in range(3))
    geometry = replace(image.geometry, spacing=spacing)

    assert set(usable_slices(replace(image, geometry=geometry), slice_axis)) == {thick, slice_axis}
