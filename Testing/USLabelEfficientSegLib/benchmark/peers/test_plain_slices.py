"""The plain 2-D U-Net: it learns from whole labelled slices of any axis, as they are, and knows no position."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.anatomy.training_volumes import TrainingVolume, prepare_volume
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.benchmark.peers.networks import PlainUNet
from USLabelEfficientSegLib.benchmark.peers.plain_slices import PlainSlices, SlicesAlong, whole_slices
from USLabelEfficientSegLib.benchmark.peers.training import Task
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.study.setting_sections import StudentSettings

CASE = simulate_volume(0, shape=(20, 22, 16), spacing=(3.3, 3.3, 4.0))


def task(*places: tuple[int, int], mirrored: tuple[int, ...] = ()) -> Task:
    """One volume of which slices (axis, index) are labelled, all without any, and one that is not."""
    labels = SparseLabels(CASE.label_map.voxels, CASE.volume.geometry, CASE.organs)
    volumes: list[TrainingVolume] = [
        prepare_volume(CASE.volume, labels.keep(list(places)) if places else labels, 32),
        prepare_volume(CASE.volume, None, 32),
    ]
    return Task(volumes, 3, 2, StudentSettings(window=32), mirrored, torch.device("cpu"), 32)


def test_slices_are_those_that_were_labelled_as_they_are() -> None:
    found = whole_slices(task((0, 7), (2, 5), (2, 9)))

    assert [(one.axis, tuple(one.weight.shape)) for one in found] == [(0, (22, 16)), (2, (20, 22)), (2, (20, 22))]
    for one, truth in zip(found[1:], (5, 9), strict=True):
        decided = one.weighted.argmax(dim=0).numpy()
        np.testing.assert_array_equal(decided, CASE.label_map.voxels[:, :, truth])
        assert one.weight.min() == 1


def test_of_a_dense_volume_only_slices_along_the_slice_axis_are_learnt() -> None:
    assert [one.axis for one in whole_slices(task())] == [2] * 16


def test_a_batch_has_slices_of_one_axis_and_every_labelled_axis_votes() -> None:
    peer = PlainSlices(task((0, 7), (2, 5), mirrored=(0, 2)))
    shapes = {tuple(peer.batch(torch.Generator().manual_seed(seed))[0].shape) for seed in range(8)}
    assert shapes == {(4, 1, 22, 16), (4, 1, 20, 22)}
    predictors = peer.predictors()
    assert [one.axis for one in predictors if isinstance(one, SlicesAlong)] == [0, 2]


def test_images_and_targets_move_together() -> None:
    """The image is set to the target: after the pose they still agree where nothing is interpolated."""
    peer = PlainSlices(task((2, 5), mirrored=(0, 1)))
    one = peer.slices[0]
    organ = one.weighted[1:].sum(dim=0, keepdim=True)
    peer.slices[0] = type(one)(one.axis, 1000 * organ, one.weighted, one.weight)
    images, weighted, weight = peer.batch(torch.Generator().manual_seed(3))
    moved = weighted[:, 1:].sum(dim=1)
    inside, outside = moved > 0.99, (moved < 0.01) & (weight > 0.99)
    assert inside.any()
    for image, inner, outer in zip(images[:, 0], inside, outside, strict=True):
        assert image[inner].min() > image[outer].max()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_slice_of_a_volume_is_segmented_alone_and_in_its_place(axis: int) -> None:
    torch.manual_seed(0)
    network = SlicesAlong(PlainUNet(3), axis).eval()
    volume = torch.randn(1, 5, 18, 20, 17)
    other = volume.clone()
    other[0, 0].select(axis, 4).add_(1)
    other[0, 1:].add_(1)  # neither the second channel nor the position counts
    with torch.no_grad():
        difference = (network(other) - network(volume)).abs().amax(dim=(0, 1)).movedim(axis, 0).flatten(1).amax(dim=1)
    assert difference[4] > 1e-4
    assert difference[torch.arange(len(difference)) != 4].max() < 1e-5
