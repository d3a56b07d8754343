import copy

import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.training.moving_average import (
    average_parameters,
    average_state,
    follows_first,
    mean_first,
)


def test_an_average_moves_by_the_share_that_momentum_leaves() -> None:
    average, network = nn.Linear(2, 2), nn.Linear(2, 2)
    before = average.weight.detach().clone()
    average_parameters(average, network, 0.9)
    torch.testing.assert_close(average.weight.detach(), 0.9 * before + 0.1 * network.weight.detach())


def test_a_moving_average_forgets_the_first_weights_and_then_follows_slowly():
    network = torch.nn.Linear(1, 1, bias=False)
    average = copy.deepcopy(network)
    torch.nn.init.constant_(average.weight, 100.0)
    torch.nn.init.constant_(network.weight, 1.0)

    for step in range(50):
        average_parameters(average, network, follows_first(step, 0.99))
    forgotten = float(average.weight.detach())
    torch.nn.init.constant_(network.weight, 2.0)
    for step in range(5000, 5100):
        average_parameters(average, network, follows_first(step, 0.99))

    assert forgotten == pytest.approx(1.0, abs=0.01)
    assert float(average.weight.detach()) == pytest.approx(2 - 0.99**100, abs=0.01)


def test_average_is_the_plain_mean_first_and_follows_slowly_then():
    average, network = torch.nn.BatchNorm1d(1), torch.nn.BatchNorm1d(1)
    assert network.running_mean is not None and network.num_batches_tracked is not None
    assert average.running_mean is not None
    for step, value in enumerate((1.0, 2.0, 6.0)):
        network.weight.data.fill_(value)
        network.running_mean.fill_(10 * value)
        network.num_batches_tracked.fill_(step + 1)
        average_state(average, network, mean_first(step, 0.99))

    assert average.weight.item() == pytest.approx(3) and average.running_mean.item() == pytest.approx(30)
    assert average.num_batches_tracked == 3
    average_state(average, network, mean_first(10_000, 0.99))
    assert average.weight.item() == pytest.approx(3.03)
