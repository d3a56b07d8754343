import numpy as np

from USLabelEfficientSegLib.imaging.intensities import normalised_grey

SHAPE = (12, 10, 8)
EVERYWHERE = np.ones(SHAPE, dtype=bool)


def test_grey_of_a_scan_in_volts_is_that_of_any_other_unit():
    voxels = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.float32)

    grey = normalised_grey(voxels, EVERYWHERE)

    assert grey.min() == 0 and grey.max() == 1
    np.testing.assert_allclose(normalised_grey(voxels * np.float32(2.0**-37), EVERYWHERE), grey, rtol=1e-6)


def test_grey_of_a_sector_that_shows_nothing_is_finite():
    voxels = np.zeros(SHAPE, np.float32)
    voxels[0, 0, 0] = 9

    assert not normalised_grey(voxels, voxels == 0).any()
