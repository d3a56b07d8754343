"""What the promptable network learns from: batches that are functions of seed and step, and their losses."""

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.promptable_network import starter_training
from USLabelEfficientSegLib.promptable_network.network import CHANNELS, CUBE
from USLabelEfficientSegLib.promptable_network.starter_training import batch, losses


def test_a_batch_is_a_function_of_seed_and_step_alone():
    inputs, targets = batch(0, 5)
    starter_training._scene.cache_clear()
    again, _ = batch(0, 5)

    assert inputs.shape == (2, len(CHANNELS), CUBE, CUBE, CUBE) and targets.shape == (2, 1, CUBE, CUBE, CUBE)
    assert torch.equal(inputs, again)
    assert not torch.equal(inputs, batch(1, 5)[0])
    assert set(np.unique(targets)) == {0, 1}


def test_losses_are_zero_for_the_truth_and_count_what_is_wrong():
    targets = torch.zeros(1, 1, 4, 4, 4)
    targets[..., :2] = 1
    sure = 50 * (2 * targets - 1)

    entropy, dice = losses(sure, targets)
    wrong_entropy, wrong_dice = losses(-sure, targets)

    assert float(entropy) == pytest.approx(0, abs=1e-6) and float(dice) == pytest.approx(0, abs=1e-6)
    assert float(wrong_entropy) == pytest.approx(50) and float(wrong_dice) == pytest.approx(1 - 1 / 65)
