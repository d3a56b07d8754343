import math

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.calibration.stacking import (
    HeldOutSlice,
    chance_to_be_better,
    log_losses,
    stacked_weights,
)


def held_out(*probabilities, pixels=400, seed=0):
    """A slice of an organ and background; each candidate gives the true class such a probability."""
    draws = torch.Generator().manual_seed(seed)
    organ = (torch.rand(pixels, generator=draws) < 0.3).float()
    target = torch.stack([1 - organ, organ])
    votes = [target * p + (1 - target) * (1 - p) for p in probabilities]
    return HeldOutSlice(torch.stack(votes), target)


def test_without_a_slice_all_candidates_weigh_alike():
    assert stacked_weights([], 4) == (0.25,) * 4


def test_a_candidate_that_finds_the_organ_has_nearly_all_votes_beside_one_that_is_wrong():
    weights = stacked_weights([held_out(0.95, 0.2, seed=seed) for seed in range(4)], 2)

    assert weights[0] > 0.95
    assert sum(weights) == pytest.approx(1)


def test_candidates_that_say_the_same_weigh_alike():
    assert stacked_weights([held_out(0.8, 0.8)], 2) == pytest.approx((0.5, 0.5), abs=1e-3)


def test_few_slices_leave_the_weights_nearer_to_equal_ones():
    one, many = (stacked_weights([held_out(0.8, 0.6, seed=n) for n in range(count)], 2) for count in (1, 12))

    assert 0.5 < one[0] < many[0]


def test_a_slice_counts_alike_however_many_pixels_it_has():
    small, large = (
        stacked_weights([held_out(0.9, 0.3, pixels=100), held_out(0.3, 0.9, pixels=pixels)], 2)
        for pixels in (100, 10_000)
    )

    assert small == pytest.approx(large, abs=0.05)


def test_the_log_loss_is_that_of_the_true_classes():
    slices = [held_out(0.5, 0.8), held_out(0.5, 0.8, pixels=7)]

    assert log_losses(slices, 0) == pytest.approx([math.log(2)] * 2)
    assert log_losses(slices, 1) == pytest.approx([-math.log(0.8)] * 2)


def test_a_certain_and_wrong_candidate_has_a_finite_loss():
    assert log_losses([held_out(0.0)], 0) == pytest.approx([-math.log(1e-4)], rel=1e-3)


@pytest.mark.parametrize(
    ("losses", "of_other", "low", "high"),
    [
        ([0.1, 0.1, 0.12], [0.5, 0.6, 0.55], 0.99, 1),  # better on every slice
        ([0.5, 0.6, 0.55], [0.1, 0.1, 0.12], 0, 0.01),
        ([0.1, 0.5, 0.3, 0.2], [0.5, 0.1, 0.2, 0.3], 0.4, 0.6),  # as often as not
        ([0.1, 0.1], [0.2, 0.2], 1, 1),  # always by the same
        ([0.1], [0.2], 1, 1),
        ([0.2], [0.2], 0.5, 0.5),
    ],
)
def test_how_likely_a_candidate_is_better_follows_from_paired_losses(losses, of_other, low, high):
    assert low <= chance_to_be_better(np.array(losses), np.array(of_other)) <= high


def test_the_same_gain_says_more_with_more_slices():
    gains = np.array([0.3, -0.1, 0.2])
    few, many = (chance_to_be_better(np.zeros(len(g)), g) for g in (gains, np.tile(gains, 5)))

    assert 0.5 < few < many
