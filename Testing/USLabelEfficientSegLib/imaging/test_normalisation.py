import numpy as np
import pytest
import torch
from scipy import ndimage

from USLabelEfficientSegLib.imaging.normalisation import image_channels, position_channels
from USLabelEfficientSegLib.imaging.resampling import resample_axes

SHAPE, SPACING = (40, 36, 32), (1.0, 1.0, 1.0)
EVERYWHERE = np.ones(SHAPE, dtype=bool)


def speckle(seed=0, shape=SHAPE):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).rayleigh(1, shape), 1)
    return (40 + 100 * noise).astype(np.float32)


def test_the_first_channel_is_a_z_score_over_the_sector():
    sector = EVERYWHERE.copy()
    sector[:8] = False

    z = image_channels(speckle(), sector, SPACING)[0].numpy()

    assert z[sector].mean() == pytest.approx(0, abs=0.02)
    assert z[sector].std() == pytest.approx(1, abs=0.05)
    assert np.all(z[~sector] == 0)


@pytest.mark.parametrize(
    ("gain", "offset"), [(1 / 255, 0.0), (257.0, 0.0), (0.4, 60.0), (3.0, -1000.0), (2.0**-37, 0.0)]
)
def test_unit_gain_and_offset_of_the_file_do_not_matter(gain, offset):
    """The same volume as bytes, as 16-bit numbers or as fractions of 1."""
    voxels = speckle()

    channels = image_channels(voxels * np.float32(gain) + np.float32(offset), EVERYWHERE, SPACING)

    torch.testing.assert_close(channels, image_channels(voxels, EVERYWHERE, SPACING), atol=2e-3, rtol=0)


def test_the_second_channel_forgets_slow_changes_of_gain_and_keeps_boundaries():
    voxels = speckle()
    voxels[:, :, 16:] *= 1.6  # a boundary
    compensation = np.exp(np.linspace(0, 1.2, 36, dtype=np.float32))[None, :, None]  # time-gain error along depth

    plain = image_channels(voxels, EVERYWHERE, SPACING).numpy()
    skewed = image_channels(voxels * compensation, EVERYWHERE, SPACING).numpy()

    inner = np.s_[4:-4, 4:-4, 4:-4]
    similarity = [np.corrcoef(a[inner].ravel(), b[inner].ravel())[0, 1] for a, b in zip(plain, skewed, strict=True)]
    assert similarity[1] > 0.95 > similarity[0]
    assert plain[1][:, :, 16:18].mean() - plain[1][:, :, 14:16].mean() > 0.5


def test_what_lies_outside_the_sector_has_no_say():
    """Not even when it is darker than anything inside, as the border of a 16-bit image can be."""
    sector = EVERYWHERE.copy()
    sector[:, :10] = False
    channels = [
        image_channels(np.where(sector, speckle(), outside).astype(np.float32), sector, SPACING)
        for outside in (0.0, 200.0, -3000.0)
    ]

    assert bool(torch.stack(channels).isfinite().all())
    assert torch.equal(channels[0], channels[1]) and torch.equal(channels[0], channels[2])
    assert float(channels[0][:, ~sector].abs().max()) == 0


def test_the_local_window_is_isotropic_in_millimetres():
    """A volume with slices three times as far apart looks, in these slices, as it did."""
    voxels = ndimage.gaussian_filter(speckle(shape=(40, 36, 45)), (0, 0, 3))
    thick = resample_axes(voxels, (40, 36, 15))

    fine = image_channels(voxels, np.ones(voxels.shape, dtype=bool), (1.0, 1.0, 1.0))[1].numpy()
    coarse = image_channels(thick, np.ones(thick.shape, dtype=bool), (1.0, 1.0, 3.0))[1].numpy()

    assert np.corrcoef(fine[:, :, 1::3][..., 2:-2].ravel(), coarse[..., 2:-2].ravel())[0, 1] > 0.99
    assert coarse.std() == pytest.approx(fine.std(), rel=0.05)


def test_an_outlier_is_clipped_and_a_constant_sector_stays_finite():
    voxels = speckle()
    voxels[5, 5, 5] = 1e6
    assert float(image_channels(voxels, EVERYWHERE, SPACING).abs().max()) <= 4

    flat = image_channels(np.full(SHAPE, 7.0, dtype=np.float32), EVERYWHERE, SPACING)
    assert bool(flat.isfinite().all()) and float(flat.abs().max()) < 0.1


def test_positions_run_from_edge_to_edge_whatever_the_grid():
    position = position_channels((4, 10, 3))

    assert position.shape == (3, 4, 10, 3)
    torch.testing.assert_close(position[0, :, 0, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]))
    torch.testing.assert_close(position[2, 0, 0], torch.tensor([-2 / 3, 0, 2 / 3]))
    halved = torch.from_numpy(resample_axes(position.numpy(), (2, 5, 3)))
    torch.testing.assert_close(halved, position_channels((2, 5, 3)), atol=1e-6, rtol=0)
