import math

import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.slice_network.fine_volume import NEUTRAL, SPREAD
from USLabelEfficientSegLib.slice_network.prediction import agreed_with_neighbours, network_grey, predict_slices


class Threshold(nn.Module):
    """Calls organ what is brighter than usual."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(50.0))

    def forward(self, images):
        return torch.cat([torch.zeros_like(images), self.slope * images], dim=1)


def test_the_network_sees_grey_values_about_zero():
    assert network_grey(torch.tensor([NEUTRAL, NEUTRAL + SPREAD])).tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("mirrored", [(), (0,), (0, 1, 2)])
def test_probabilities_lie_where_the_image_has_the_organ(axis, mirrored):
    grey = torch.full((24, 20, 16), 0.1)
    grey[3:9, 11:17, 5:13] = 0.9

    probability = predict_slices(Threshold(), grey, (1.0, 1.0, 1.0), axis, 24, mirrored_axes=mirrored)

    assert probability.shape == (2, *grey.shape)
    assert torch.equal(probability[1] > 0.5, grey > NEUTRAL)
    assert torch.allclose(probability.sum(dim=0), torch.ones_like(grey))


def test_anisotropic_slices_are_seen_with_square_pixels_and_come_back_on_their_own_grid():
    grey = torch.full((10, 40, 3), 0.1)
    grey[2:6, 8:24] = 0.9

    probability = predict_slices(Threshold(), grey, (4.0, 1.0, 2.0), 2, 40)

    assert probability.shape == (2, 10, 40, 3)
    found, organ = probability[1] > 0.5, grey > NEUTRAL
    assert 2 * float((found & organ).sum()) / float(found.sum() + organ.sum()) > 0.95


def test_only_the_slices_asked_for_are_predicted():
    grey = torch.rand(12, 10, 8, generator=torch.Generator().manual_seed(0))
    numbers = torch.tensor([6, 1])

    part = predict_slices(Threshold(), grey, (1.0, 1.0, 1.0), 2, 12, numbers=numbers)

    assert torch.equal(part, predict_slices(Threshold(), grey, (1.0, 1.0, 1.0), 2, 12)[..., numbers])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_agrees_with_its_neighbours(axis):
    organ = torch.full((5, 5, 5), 0.9).movedim(0, axis)
    organ.select(axis, 2).fill_(0.3)

    pooled = agreed_with_neighbours(torch.stack([1 - organ, organ]), axis)

    odds = 0.6 * math.log(0.3 / 0.7) + 0.4 * math.log(0.9 / 0.1)
    assert torch.allclose(pooled.sum(dim=0), torch.ones(5, 5, 5))
    assert torch.allclose(pooled[1].select(axis, 2), torch.tensor(1 / (1 + math.exp(-odds))), atol=1e-5)
    assert torch.allclose(pooled[1].select(axis, 0), torch.tensor(0.9), atol=1e-5)


def test_a_single_slice_has_no_neighbours():
    probability = torch.rand(3, 4, 4, 1).softmax(dim=0)

    assert torch.allclose(agreed_with_neighbours(probability, 2), probability, atol=1e-5)
