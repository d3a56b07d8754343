import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.divergence.pair import NetworkPair
from USLabelEfficientSegLib.divergence.prediction import predict_images


class Brightness(nn.Module):
    """Log-odds that follow the grey value of each pixel, and of nothing around it."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))

    def forward(self, images):
        return self.factor * torch.cat([-images[:, :1], images[:, :1]], dim=1)


def smooth_images(height, width):
    rows, columns = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 2, width), indexing="ij")
    return torch.stack([rows.sin() * columns.cos(), (rows * columns).cos()]) / 2 + 0.5


def test_prediction_is_made_at_the_pixels_of_the_image():
    torch.manual_seed(0)
    pair = NetworkPair(3, 32).eval()
    images = torch.rand(2, 50, 61)

    probability = predict_images(pair.unext, images, (0.4, 0.5), 48)
    mirrored = predict_images(pair.unext, images, (0.4, 0.5), 48, mirrored=True)

    assert probability.shape == (2, 3, 50, 61)
    torch.testing.assert_close(probability.sum(dim=1), torch.ones(2, 50, 61))
    flipped = predict_images(pair.unext, images.flip(2), (0.4, 0.5), 48).flip(3)
    torch.testing.assert_close(mirrored, (probability + flipped) / 2, atol=1e-5, rtol=0)


def test_zoomed_views_are_mapped_back_onto_the_image():
    images = smooth_images(60, 80)

    plain = predict_images(Brightness(), images, (1.0, 1.0), 80)
    zoomed = predict_images(Brightness(), images, (1.0, 1.0), 80, mirrored=True, zooms=(1.0, 0.8, 1.25))

    torch.testing.assert_close(zoomed[..., 1:-1, 1:-1], plain[..., 1:-1, 1:-1], atol=0.01, rtol=0)
    torch.testing.assert_close(zoomed.sum(dim=1), torch.ones(2, 60, 80))


def test_what_a_magnified_view_cuts_off_is_told_by_the_others_alone():
    class OneWhereMagnified(nn.Module):
        """Sees the organ everywhere in a view without black margins, nowhere in one with them."""

        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, images):
            is_whole = images[:, 0].std() < 1e-3
            organ = torch.full_like(images[:, :1], 9.0 if is_whole else -9.0)
            return torch.cat([-organ, organ], dim=1)

    probability = predict_images(OneWhereMagnified(), torch.ones(1, 40, 40), (1.0, 1.0), 40, zooms=(0.5, 2.0))[0, 1]

    assert probability[20, 20] == pytest.approx(0.5, abs=0.01)
    assert probability[[2, 2, -3, -3], [2, -3, 2, -3]].max() < 0.01


def test_zooms_that_all_cut_something_off_are_refused():
    with pytest.raises(ValueError, match="never show the whole image"):
        predict_images(Brightness(), smooth_images(20, 20), (1.0, 1.0), 20, zooms=(1.5,))
