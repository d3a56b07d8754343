import numpy as np
import pytest

from USLabelEfficientSegLib.evaluation.degradations import DEGRADATIONS, STRENGTHS, degrade
from USLabelEfficientSegLib.imaging.sector import sector_mask
from USLabelEfficientSegLib.imaging.simulator import simulate_volume


@pytest.fixture(scope="module")
def volume():
    return simulate_volume(3, shape=(40, 42, 32), spacing=(2.0, 2.0, 2.0)).volume


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_image_changes_the_more_the_stronger_and_always_in_the_same_way(volume, name):
    changes = [
        np.abs(degrade(volume, name, strength, seed=1).voxels - volume.voxels.astype(float)).mean()
        for strength in STRENGTHS
    ]

    assert 0.5 < changes[0] < changes[1] < changes[2]
    first, again, other = (degrade(volume, name, 0.5, seed=seed).voxels for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert name == "resolution" or not np.array_equal(first, other)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_geometry_range_and_the_outside_of_the_sector_stay(volume, name):
    degraded = degrade(volume, name, 1.0, seed=0)
    outside = ~sector_mask(volume.voxels.astype(np.float32))

    assert degraded.geometry is volume.geometry
    assert degraded.voxels.min() >= volume.voxels.min() and degraded.voxels.max() <= volume.voxels.max()
    assert outside.any()
    np.testing.assert_array_equal(degraded.voxels[outside], volume.voxels[outside])


def test_a_shadow_darkens_what_lies_deeper(volume):
    loss = volume.voxels.astype(float) - degrade(volume, "shadow", 1.0, seed=0).voxels
    assert loss[:, -10:].mean() > 5 * max(loss[:, :3].mean(), 0.1)
