import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.calibration.slice_residuals import slice_residuals
from USLabelEfficientSegLib.imaging.normalisation import position_channels

SHAPE = (16, 16, 12)
POSITION = position_channels(SHAPE)


def subject(log_size, slices):
    """A ball of the given size, of which some slices along axis 2 are labelled."""
    radius = 0.55 * np.exp(log_size / 3)
    organ = (POSITION.square().sum(dim=0) <= radius**2).float()
    weight = torch.zeros(SHAPE)
    weight[:, :, slices] = 1.0
    return SoftTarget(torch.stack([1 - organ, organ]) * weight, weight)


def test_residuals_tell_the_sizes_of_subjects_that_the_prediction_has_not_seen():
    sizes = np.array([-0.4, 0.4, -0.2, 0.2, 0.0, 0.3, -0.3, 0.1])
    targets = [subject(size, [1, 5, 6, 10]) for size in sizes]

    (found,) = slice_residuals(targets, [POSITION] * len(targets), seed=0)

    order = np.random.default_rng(0).permutation(len(targets))  # one subject a fold
    assert found.log_ratios.shape == (8,)
    assert np.corrcoef(found.log_ratios, sizes[order])[0, 1] > 0.9
    assert found.slices.tolist() == [2] * 8
    assert found.log_shares.shape == (8,)
    assert np.exp(found.log_shares.mean()) == pytest.approx(0.55**3 * np.pi / 6, rel=0.3)


def test_slices_beside_the_organ_tell_nothing_of_its_size():
    targets = [subject(0.0, [5]), subject(0.1, [6]), subject(0.0, [0]), subject(0.2, [11])]

    (found,) = slice_residuals(targets, [POSITION] * 4, seed=0)

    assert len(found.log_ratios) == 2


def test_an_organ_that_is_missing_has_a_finite_residual():
    missing = subject(0.0, [5])
    missing = SoftTarget(torch.stack([missing.weight, torch.zeros(SHAPE)]), missing.weight)

    (found,) = slice_residuals([missing, *(subject(0.0, [5, 6]) for _ in range(3))], [POSITION] * 4, seed=0)

    assert np.isfinite(found.log_ratios).all()
    assert found.log_ratios.min() < -1


def test_slices_along_any_axis_count():
    sizes = np.array([-0.4, 0.4, -0.2, 0.2, 0.0, 0.3, -0.3, 0.1])
    targets = []
    for number, size in enumerate(sizes):
        target = subject(size, range(SHAPE[2]))
        weight = torch.zeros(SHAPE)
        weight.select(number % 3, SHAPE[number % 3] // 2).fill_(1.0)
        targets.append(SoftTarget(target.weighted * weight, weight))

    (found,) = slice_residuals(targets, [POSITION] * len(targets), seed=0)

    order = np.random.default_rng(0).permutation(len(targets))
    assert found.slices.tolist() == [1] * 8
    assert np.corrcoef(found.log_ratios, sizes[order])[0, 1] > 0.9
