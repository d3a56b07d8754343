"""Voxels in another order of memory."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.memory_order import reordered


@pytest.mark.parametrize("shape", [(40, 3, 5), (3, 40, 17), (1, 1, 1), (0, 4, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("before", ["C", "F", "neither"])
def test_the_voxels_are_the_same_and_lie_in_that_order(shape, order, before):
    voxels = np.random.default_rng(0).integers(0, 255, (*shape[:2], 2 * shape[2]), dtype=np.uint8)[..., ::2]
    if before != "neither":
        voxels = np.array(voxels, order=before)

    turned = reordered(voxels, order)

    np.testing.assert_array_equal(turned, voxels)
    assert turned.dtype == np.uint8
    assert turned.flags.c_contiguous if order == "C" else turned.flags.f_contiguous


def test_what_has_that_order_is_not_copied():
    voxels = np.zeros((3, 4, 5), np.int16)
    assert reordered(voxels, "C") is voxels
