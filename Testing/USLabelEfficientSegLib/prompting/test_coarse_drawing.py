"""What was drawn, on a coarse grid."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.resampling import resample_axes
from USLabelEfficientSegLib.prompting.coarse_drawing import coarse_signs


@pytest.fixture
def drawn():
    """Two slices across each other with organs 1 and 2, nothing elsewhere."""
    voxels = np.full((12, 8, 6), 255, np.uint8)
    voxels[:, :, 3] = np.random.default_rng(0).integers(0, 3, (12, 8))
    voxels[5] = np.random.default_rng(1).integers(0, 3, (8, 6))
    return voxels


@pytest.mark.parametrize("shape", [(6, 4, 3), (5, 8, 4), (12, 8, 6), (1, 1, 1)])
def test_it_is_the_mean_of_what_was_drawn_in_each_coarse_voxel(drawn, shape):
    told = drawn != 255
    cover = resample_axes(told.astype(np.float32), shape)
    for label, signs in zip((2, 1), coarse_signs(drawn, (2, 1), shape), strict=True):
        mean = resample_axes(np.where(told, np.where(drawn == label, 1, -1), 0), shape) / np.maximum(cover, 1e-6)
        np.testing.assert_allclose(signs, np.where(cover > 0, mean, 0), atol=1e-5)


def test_an_organ_that_fills_what_was_drawn_of_a_voxel_is_one_there_however_little_that_is():
    voxels = np.full((10, 1, 1), 255, np.uint8)
    voxels[:, 0, 0] = [1, 255, 255, 255, 255, 255, 0, 255, 1, 0]

    assert coarse_signs(voxels, (1,), (2, 1, 1)).ravel().tolist() == pytest.approx([1, -1 / 3])
    assert coarse_signs(voxels, (2,), (2, 1, 1)).ravel().tolist() == [-1, -1]
