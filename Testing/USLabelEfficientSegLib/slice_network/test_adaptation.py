"""A 2-D network takes the levels of the volume that it is to segment, as far as it is told to."""

import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.slice_network.adaptation import adapted
from USLabelEfficientSegLib.slice_network.network import SliceUNet
from USLabelEfficientSegLib.slice_network.prediction import network_grey

SPACING = (0.5, 0.5, 2.0)


def trained(seed=0):
    torch.manual_seed(seed)
    network = SliceUNet(2, widths=(4, 8))
    with torch.no_grad():
        for _ in range(20):  # levels of something else
            network.train()(torch.randn(4, 1, 32, 32))
    return network.eval()


def volume(slices=6, seed=1):
    return torch.rand((32, 32, slices), generator=torch.Generator().manual_seed(seed))


def first_levels(network):
    norm = network.encoder[0].first_norm
    return norm.running_mean, norm.running_var


def seen_by_the_first_norm(network, grey):
    """What reaches the first normalisation of all slices along k, (channels, values)."""
    images = network_grey(grey.movedim(2, 0)[:, None])
    with torch.no_grad():
        found = network.encoder[0].first(network.halved(images))
    return found.movedim(1, 0).flatten(1)


def test_without_a_share_the_network_is_the_same():
    network = trained()

    assert adapted(network, volume(), SPACING, 2, 32, share=0.0) is network


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_levels_are_drawn_towards_those_of_the_volume(share, monkeypatch):
    network, grey = trained(), volume()
    before = [level.clone() for level in first_levels(network)]
    values = seen_by_the_first_norm(network, grey)
    mean, variance = first_levels(adapted(network, grey, SPACING, 2, 32, share=share))

    assert torch.allclose(mean, (1 - share) * before[0] + share * values.mean(dim=1), atol=0.01)
    assert torch.allclose(variance, (1 - share) * before[1] + share * values.var(dim=1), rtol=0.02, atol=0.01)
    assert all(torch.equal(level, kept) for level, kept in zip(first_levels(network), before, strict=True))


def test_the_copy_predicts_like_any_network_and_twice_the_same():
    network, grey = trained(), volume()
    one, other = (adapted(network, grey, SPACING, 2, 32, share=0.8) for _ in range(2))
    assert isinstance(one, nn.Module) and not one.training
    images = network_grey(grey.movedim(2, 0)[:, None])
    with torch.no_grad():
        alone, together = one(images[:1]), one(images)

    assert torch.allclose(alone, together[:1], atol=1e-5)  # a slice does not depend on those beside it
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert not torch.allclose(one(images), network(images))


def test_of_a_large_volume_slices_spread_over_it_are_enough():
    network, grey = trained(), volume(slices=240)
    grey = grey + torch.linspace(0, 0.5, 240)  # brighter towards one end
    mean, _ = first_levels(adapted(network, grey, SPACING, 2, 32, share=1.0))

    assert torch.allclose(mean, seen_by_the_first_norm(network, grey).mean(dim=1), atol=0.02)


def test_any_number_of_slices_will_do():
    network = trained()
    for count in (1, 2, 25):
        levels = first_levels(adapted(network, volume(count), SPACING, 2, 32, share=1.0))
        assert all(torch.isfinite(level).all() for level in levels)
