import pytest
import torch

from USLabelEfficientSegLib.slice_network.network import SliceUNet


@pytest.mark.parametrize("shape", [(32, 32), (37, 21), (5, 64), (1, 1)])
def test_logits_have_the_size_of_the_slice_whatever_it_is(shape):
    logits = SliceUNet(3, widths=(4, 8)).eval()(torch.rand(2, 1, *shape))

    assert logits.shape == (2, 3, *shape)


def test_a_slice_is_seen_alike_wherever_its_content_lies():
    """A shift by whole cells shifts the logits, away from the border."""
    torch.manual_seed(0)
    network = SliceUNet(2, widths=(4, 8)).eval()
    image = torch.zeros(1, 1, 96, 96)
    image[:, :, 40:50, 40:48] = torch.rand(10, 8)

    moved = network(image.roll((network.cell, 2 * network.cell), dims=(2, 3)))

    expected = network(image).roll((network.cell, 2 * network.cell), dims=(2, 3))
    assert torch.allclose(moved[..., 32:80, 32:80], expected[..., 32:80, 32:80], atol=1e-5)


def test_brightness_reaches_the_output():
    """Normalisation of each slice alone would hide it, and invent organs in slices without any."""
    torch.manual_seed(0)
    network = SliceUNet(2, widths=(4, 8)).eval()
    image = torch.rand(1, 1, 32, 32)

    assert not torch.allclose(network(image), network(image + 1), atol=1e-3)
