import pytest
import torch

from USLabelEfficientSegLib.divergence.unext import UNeXt, shift_channels


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return UNeXt(2).eval()


def test_published_widths_give_the_published_number_of_weights(network):
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_471_938


@pytest.mark.parametrize("size", [(64, 64), (33, 70), (108, 160)])
def test_logits_have_the_size_of_the_image_whatever_it_is(network, size):
    with torch.inference_mode():
        assert network(torch.rand(2, 3, *size)).shape == (2, 2, *size)


def test_number_of_classes_channels_and_widths_are_free():
    network = UNeXt(4, channels=1, widths=(4, 8, 10, 15, 20))

    assert network(torch.rand(2, 1, 32, 48)).shape == (2, 4, 32, 48)


@pytest.mark.parametrize("axis", [1, 2])
def test_fifths_of_the_channels_move_by_minus_two_to_two_and_zeros_move_in(axis):
    line = torch.arange(1.0, 7.0)
    tokens = line.view(1, 6, 1, 1).expand(1, 6, 6, 5) if axis == 1 else line.view(1, 1, 6, 1).expand(1, 6, 6, 5)

    shifted = shift_channels(tokens, axis)
    lines = shifted[0, :, 3] if axis == 1 else shifted[0, 3]

    assert lines.T.tolist() == [
        [3, 4, 5, 6, 0, 0],
        [2, 3, 4, 5, 6, 0],
        [1, 2, 3, 4, 5, 6],
        [0, 1, 2, 3, 4, 5],
        [0, 0, 1, 2, 3, 4],
    ]


def test_every_weight_is_trained(network):
    logits = UNeXt(2)(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert logits.std() > 0
    trained = UNeXt(2, widths=(5, 5, 10, 10, 15))
    trained(torch.rand(2, 3, 64, 64)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in trained.parameters())
