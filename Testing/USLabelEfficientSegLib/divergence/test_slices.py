import pytest
import torch

from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.anatomy.training_volumes import TrainingVolume
from USLabelEfficientSegLib.divergence.batches import draw_batch
from USLabelEfficientSegLib.divergence.pair import NetworkPair
from USLabelEfficientSegLib.divergence.slices import SliceNetwork, pixel_size, training_slices
from USLabelEfficientSegLib.study.setting_sections import DivergenceSettings

SHAPE = (16, 20, 6)


def volume(name, labelled_slice=None):
    labels = None
    if labelled_slice is not None:
        weight = torch.zeros(SHAPE)
        weight[:, :, labelled_slice] = 1
        organ = torch.zeros(SHAPE)
        organ[4:12, 5:15, labelled_slice] = 1
        labels = SoftTarget(torch.stack([weight - organ, organ]), weight)
    return TrainingVolume.of(
        name,
        (1.0, 1.0, 2.0),
        torch.rand(SHAPE, generator=torch.Generator().manual_seed(len(name))),
        torch.zeros(2, *SHAPE).half(),
        torch.ones(SHAPE, dtype=torch.bool),
        labels,
    )


def test_all_slices_are_trained_on_and_labelled_ones_carry_their_targets():
    images = training_slices([volume("first"), volume("second", labelled_slice=2)], axis=2, image_size=40)

    assert images.grey.shape == (12, 1, 32, 40)
    assert images.labelled.tolist() == [8]
    assert images.target.shape == (1, 2, 32, 40)
    organ = images.target[0, 1] > 0.5
    assert organ.sum() == 16 * 20 and organ[8:24, 10:30].all()


def test_slices_across_the_labelled_one_are_labelled_in_a_line():
    images = training_slices([volume("second", labelled_slice=2)], axis=0, image_size=40)

    assert images.labelled.tolist() == list(range(16))
    rows, columns = (images.weight[0] > 0.5).nonzero(as_tuple=True)
    assert len(rows.unique()) == 40 and len(columns.unique()) < 8


def test_volumes_without_labels_cannot_be_trained_on():
    with pytest.raises(ValueError, match="no image is labelled"):
        training_slices([volume("first")], axis=2, image_size=40)


def test_network_predicts_slices_at_their_own_pixels():
    torch.manual_seed(0)
    network = NetworkPair(2, 32).eval().swin_unet
    assert network is not None
    predictor = SliceNetwork(network, pixel_size(volume("first"), 0), 40)

    probability = predictor(torch.rand(3, 1, 20, 6), torch.arange(3))

    assert pixel_size(volume("first"), 0) == (1.0, 2.0)
    assert probability.shape == (3, 2, 20, 6)
    torch.testing.assert_close(probability.sum(dim=1), torch.ones(3, 20, 6))


def test_slices_that_are_not_in_memory_are_drawn_as_those_that_are():
    volumes = [volume("first"), volume("second", labelled_slice=2)]
    kept, drawn = (training_slices(volumes, 2, 40, in_memory=in_memory) for in_memory in (True, False))

    assert drawn.digest() == kept.digest()
    assert not isinstance(drawn.grey, torch.Tensor) and drawn.grey.shape == kept.grey.shape
    batches = [
        draw_batch(images, DivergenceSettings(), (2, 4), torch.Generator().manual_seed(0)) for images in (kept, drawn)
    ]
    assert all(torch.equal(tensor, getattr(batches[1], name)) for name, tensor in vars(batches[0]).items())
