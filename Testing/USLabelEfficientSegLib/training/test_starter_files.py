"""Files of starter weights, and what is made of two of them."""

import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.training.starter_files import averaged_with, save_starter


def test_the_mean_with_earlier_weights_lies_halfway(tmp_path):
    network, earlier = nn.Linear(3, 2), nn.Linear(3, 2)
    with torch.no_grad():
        network.weight.fill_(4), earlier.weight.fill_(1)
        network.bias.fill_(0), earlier.bias.fill_(-2)
    save_starter(tmp_path / "earlier.safetensors", earlier, {"steps": 1})

    averaged_with(tmp_path / "earlier.safetensors", network)

    assert torch.equal(network.weight, torch.full((2, 3), 2.5))
    assert torch.equal(network.bias, torch.full((2,), -1.0))


def test_weights_of_another_network_are_refused_and_change_nothing(tmp_path):
    save_starter(tmp_path / "other.safetensors", nn.Linear(2, 2), {"steps": 1})
    network = nn.Linear(3, 2)
    before = network.weight.clone()

    with pytest.raises(InputError, match="holds no starter weights"):
        averaged_with(tmp_path / "other.safetensors", network)

    assert torch.equal(network.weight, before)
