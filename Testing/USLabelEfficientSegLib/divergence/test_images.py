import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.divergence.images import image_grey, network_input, one_hot, prepare_images
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan


def two_images():
    """A wide image of rectangular pixels with a labelled half, and a square one without labels."""
    wide = torch.zeros(20, 40)
    wide[:, 20:] = 1
    return [wide, torch.full((30, 30), 0.5)], [(wide > 0).long(), None], [(1.0, 1.0), (0.5, 0.5)]


def test_images_of_different_sizes_share_a_canvas_of_square_pixels():
    images = prepare_images(*two_images(), classes=2, image_size=32)

    assert images.grey.shape == (2, 1, 32, 32) and images.grey.dtype == torch.uint8
    assert images.covered[0].sum() == 16 * 32 and images.covered[1].all()
    assert images.grey[0, 0, 3].tolist()[:14] == [0] * 14 and images.grey[0, 0, 3].tolist()[18:] == [255] * 14
    assert images.labelled.tolist() == [0] and images.unlabelled.tolist() == [1]
    assert images.target.shape == (1, 2, 32, 32)
    assert images.weight[0, :16].min() > 0.999 and images.weight[0, 16:].max() == 0
    assert images.target[0, 1, :16, 20:].min() > 0.99


def test_rectangular_pixels_become_square():
    images = prepare_images([torch.rand(10, 40)], [torch.zeros(10, 40)], [(2.0, 1.0)], classes=2, image_size=32)

    assert images.grey.shape == (1, 1, 16, 32)


def test_unlabelled_pixels_have_no_weight_and_no_class():
    weighted, weight = one_hot(torch.tensor([[0, 2], [-1, 1]]), 3)

    assert weight.tolist() == [[1, 1], [0, 1]]
    assert weighted[:, 1, 0].tolist() == [0, 0, 0] and weighted[:, 0, 1].tolist() == [0, 0, 1]


def test_all_images_count_as_unlabelled_when_every_one_has_labels():
    images = [torch.rand(32, 32)] * 2

    prepared = prepare_images(images, [torch.zeros(32, 32)] * 2, [(1, 1)] * 2, classes=2, image_size=32)

    assert prepared.unlabelled.tolist() == [0, 1]


def test_fingerprint_changes_with_images_and_labels_alone():
    images, labels, sizes = two_images()
    digest = prepare_images(images, labels, sizes, classes=2, image_size=32).digest()

    assert prepare_images(images, labels, sizes, classes=2, image_size=32).digest() == digest
    assert prepare_images(images, [1 - labels[0], None], sizes, classes=2, image_size=32).digest() != digest
    assert prepare_images([1 - images[0], images[1]], labels, sizes, classes=2, image_size=32).digest() != digest


@pytest.mark.parametrize("labels", [[None, None], [None]])
def test_nothing_labelled_or_nothing_given_is_refused(labels):
    images, _, sizes = two_images()

    with pytest.raises(ValueError, match=r"no image is labelled|2 images, 1 labels"):
        prepare_images(images, labels, sizes, classes=2, image_size=32)


def test_networks_see_three_normalised_channels():
    inputs = network_input(torch.full((1, 1, 2, 2), 0.485))

    assert inputs.shape == (1, 3, 2, 2)
    assert inputs[0, 0].abs().max() < 1e-6 and inputs[0, 1, 0, 0].item() == pytest.approx((0.485 - 0.456) / 0.224)


def test_the_unit_of_grey_values_does_not_matter():
    grid = Geometry((12, 10, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    pixels = np.random.default_rng(0).integers(0, 256, grid.shape).astype(np.float32)
    usual, in_volts = (Scan(pixels * np.float32(unit), grid, "image") for unit in (1.0, 2.0**-37))

    torch.testing.assert_close(image_grey(in_volts), image_grey(usual))
