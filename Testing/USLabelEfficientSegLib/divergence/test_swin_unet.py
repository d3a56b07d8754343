import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.divergence.swin_unet import PatchExpansion, SwinStage, SwinUnet


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SwinUnet(2, width=32).eval()


def test_published_width_gives_the_published_number_of_weights():
    with torch.device("meta"):
        network = SwinUnet(2)
    assert sum(parameter.numel() for parameter in network.parameters()) == 27_168_228


@pytest.mark.parametrize("size", [(224, 224), (108, 160), (33, 47), (28, 28)])
def test_logits_have_the_size_of_the_image_whatever_it_is(network, size):
    with torch.inference_mode():
        assert network(torch.rand(1, 3, *size)).shape == (1, 2, *size)


def test_every_weight_is_trained():
    network = SwinUnet(2, width=32)
    network(torch.rand(2, 3, 64, 64)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_windows_keep_distant_tokens_apart_and_shifted_windows_join_neighbours():
    """A change in one window reaches the next one through the shifted block, but nothing three windows away."""
    torch.manual_seed(0)
    stage = SwinStage(32, [0.0, 0.0], window=4).eval()
    tokens = torch.randn(1, 4, 16, 32)
    changed = tokens.clone()
    changed[:, :, 3] += 1

    with torch.inference_mode():
        moved = (stage(changed) - stage(tokens)).abs().amax(dim=(0, 1, 3))

    assert (moved[:6] > 0).all()
    assert (moved[10:] == 0).all()


def test_cyclic_shift_does_not_join_opposite_borders():
    torch.manual_seed(0)
    stage = SwinStage(32, [0.0, 0.0], window=4).eval()
    tokens = torch.randn(1, 12, 12, 32)
    changed = tokens.clone()
    changed[:, 0] += 1

    with torch.inference_mode():
        moved = (stage(changed) - stage(tokens)).abs().amax(dim=(0, 2, 3))

    assert moved[0] > 0 and moved[-2:].max() == 0


def test_map_smaller_than_a_window_uses_the_positions_of_the_whole_window():
    """The same tokens in the corner of a map of one window see the same relative positions."""
    torch.manual_seed(0)
    stage = SwinStage(32, [0.0], window=7).eval()
    tokens = torch.randn(1, 3, 5, 32)
    padded = nn.functional.pad(tokens, (0, 0, 0, 2, 0, 4))

    with torch.inference_mode():
        torch.testing.assert_close(stage(tokens), stage(padded)[:, :3, :5])


def test_expansion_places_the_tokens_of_one_side_by_side():
    expansion = PatchExpansion(1, 2, 2)
    nn.init.zeros_(expansion.linear.weight)
    with torch.no_grad():
        expansion.linear.weight[:, 0] = torch.tensor([0, 1, 2, 0, 0, 3, 4, 0.0])
    expansion.add_module("norm", nn.Identity())

    tokens = expansion(torch.ones(1, 1, 1, 1))

    assert tokens.shape == (1, 2, 2, 2)
    assert tokens[0].tolist() == [[[0, 1], [2, 0]], [[0, 3], [4, 0]]]
