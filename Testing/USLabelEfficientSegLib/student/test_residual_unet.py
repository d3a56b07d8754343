import pytest
import torch

from USLabelEfficientSegLib.benchmark.peers.networks import SliceUNet, VolumeUNet
from USLabelEfficientSegLib.student.residual_unet import cropped, padded_to_cells, residual_unet


@pytest.mark.parametrize(
    ("sizes", "cells", "padded"),
    [
        ((9, 14, 11), (8, 8, 8), (16, 16, 16)),
        ((16, 8), (8, 8), (16, 8)),
        ((5, 33, 2), (4, 8, 2), (8, 40, 2)),
        ((8, 8, 8), (8, 8, 8), (16, 8, 8)),
        ((3, 2), (8, 8), (16, 8)),
    ],
)
def test_images_are_continued_to_at_least_two_whole_cells_and_keep_their_place(sizes, cells, padded):
    images = torch.randn(2, 3, *sizes)
    continued = padded_to_cells(images, cells)
    assert continued.shape == (2, 3, *padded)
    assert torch.equal(cropped(continued, sizes), images)
    assert set(continued.unique().tolist()) == set(images.unique().tolist())


def test_rivals_train_on_volumes_of_a_single_cell_too():
    volume = torch.randn(1, 5, 6, 8, 7)
    for network in (VolumeUNet(3), SliceUNet(3, axis=1)):
        assert network.train()(volume).shape == (1, 3, 6, 8, 7)


def test_a_finer_stride_along_one_axis_leaves_it_longer():
    network = residual_unet(3, 2, (4, 8, 8), [(2, 2, 1), (2, 2, 2)], inputs=1)
    down = next(iter(network.model.children()))
    assert down(torch.randn(1, 1, 16, 16, 16)).shape[2:] == (8, 8, 16)
