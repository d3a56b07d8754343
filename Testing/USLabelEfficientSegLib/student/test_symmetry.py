import numpy as np
import torch

from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.student.symmetry import mirror_axes


def fields(shape, count=20, seed=0):
    """Independent noise plus a brightness that falls with depth, axis 1, alike in all volumes."""
    generator = torch.Generator().manual_seed(seed)
    depth = torch.linspace(1, 0, shape[1])[None, :, None]
    return [depth.expand(shape) * 4 + torch.rand(shape, generator=generator) for _ in range(count)]


def test_axes_along_which_the_mean_is_its_own_mirror_image_are_found():
    assert mirror_axes(fields((20, 24, 28))) == (0, 2)


def test_volumes_of_different_sizes_have_a_mean():
    assert mirror_axes(fields((20, 24, 28), 10) + fields((31, 17, 26), 10, seed=1)) == (0, 2)


def test_one_off_centre_organ_in_all_volumes_forbids_the_mirror_image_along_its_offset():
    i = torch.arange(24.0)
    distance = (i[:, None, None] - 6) ** 2 + (i[None, :, None] - 11.5) ** 2 + (i[None, None, :] - 11.5) ** 2
    organ = (distance < 25).float() * 2

    assert mirror_axes([organ + torch.rand(24, 24, 24) * 0.1 for _ in range(4)]) == (1, 2)


def test_gain_does_not_decide():
    volumes = fields((20, 24, 28))
    assert mirror_axes([volume * (1 + number) for number, volume in enumerate(volumes)]) == (0, 2)


def test_a_constant_mean_has_no_direction_and_is_left_alone():
    assert mirror_axes([torch.ones(8, 8, 8)]) == ()


def test_near_and_far_from_the_probe_are_never_exchanged():
    """The simulated sector widens away from the probe, along axis 1."""
    volumes = [simulate_volume(seed, shape=(24, 24, 24), spacing=(3.3, 3.3, 3.3)).volume for seed in range(3)]

    assert 1 not in mirror_axes([torch.from_numpy(volume.voxels.astype(np.float32)) for volume in volumes])
