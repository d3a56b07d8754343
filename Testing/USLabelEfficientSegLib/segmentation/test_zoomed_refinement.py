import numpy as np
import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.divergence.prediction import predict_images
from USLabelEfficientSegLib.segmentation.zoomed_refinement import LARGEST_ZOOM, main_pieces, part_around, refine_zoomed

PIXEL = (0.4, 0.4)


class Bright(nn.Module):
    """Takes what is bright for the organ; counts how often it is asked, and remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.shown = []

    def forward(self, images):
        self.shown.append(images)
        return 20 * torch.cat([-images[:, :1], images[:, :1]], dim=1)


def disc(centre, radius, size=(60, 90)):
    rows, columns = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    return (((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2).sqrt() < radius).float()


def both_looks(image, margins, mirrored=False):
    network = Bright()
    first = predict_images(network, image[None], PIXEL, 45)[0]
    network.shown.clear()
    return network, first, refine_zoomed(network, image, first, PIXEL, 45, margins=margins, mirrored=mirrored)


@pytest.mark.parametrize("centre", [(30, 45), (12, 80), (50, 10)])
def test_zoomed_refinement_draws_a_finer_outline_at_the_same_place(centre):
    truth = disc(centre, 9.3)

    _, first, second = both_looks(truth, (1.2,))

    errors = [(organ[1] - truth).abs().sum() for organ in (first, second)]
    assert errors[1] < 0.9 * errors[0]
    found, true = ((mask > 0.5).nonzero().float().mean(dim=0) for mask in (second[1], truth))
    torch.testing.assert_close(found, true, atol=0.2, rtol=0)


def test_probabilities_sum_to_one_and_stay_where_no_part_was_looked_at():
    _, first, second = both_looks(disc((12, 20), 6.0), (1.2, 1.4), mirrored=True)

    torch.testing.assert_close(second.sum(dim=0), torch.ones(60, 90))
    torch.testing.assert_close(second[:, 50:], first[:, 50:])
    assert not torch.equal(second, first)


def test_every_part_is_looked_at_once_and_again_in_the_mirror():
    for mirrored in (False, True):
        network, _, _ = both_looks(disc((30, 45), 9.0), (1.2, 1.4), mirrored=mirrored)
        assert [tuple(images.shape[2:]) for images in network.shown] == [(30, 45)] * (2 + 2 * mirrored)


@pytest.mark.parametrize("margins", [(), (1.2,)])
def test_without_an_organ_or_without_parts_the_first_look_stands(margins):
    image = torch.zeros(60, 90) if margins else disc((30, 45), 9.0)

    network, first, second = both_looks(image, margins)

    torch.testing.assert_close(second, first)
    assert not network.shown


def test_a_part_has_the_proportions_of_the_image_and_lies_in_it():
    for centre in ((30, 45), (3, 4), (57, 88)):
        for radius in (2, 12, 25):
            organs = disc(centre, radius).bool().numpy()
            rows, columns = part_around(organs, 1.3)
            assert 0 <= rows.start < rows.stop <= 60 and 0 <= columns.start < columns.stop <= 90
            height, width = rows.stop - rows.start, columns.stop - columns.start
            assert height / 60 == pytest.approx(width / 90, abs=0.03)
            assert height >= 60 / LARGEST_ZOOM
            assert organs[rows, columns].sum() == organs.sum()


def test_a_part_is_not_larger_than_the_image():
    assert part_around(np.ones((20, 30), bool), 1.4) == (slice(0, 20), slice(0, 30))


def test_of_each_organ_the_most_certain_piece_is_looked_at():
    one, fragment, other = disc((20, 20), 8.0), disc((50, 80), 2.0), disc((30, 60), 6.0)
    probability = torch.stack([torch.zeros(60, 90), one * 0.98 + fragment * 0.6, other * 0.9])

    np.testing.assert_array_equal(main_pieces(probability.numpy()), (one + other).bool().numpy())
