import numpy as np
import pytest
import torch
import torch.nn.functional as F

from USLabelEfficientSegLib.anatomy.targets import SoftTarget, label_target
from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED, SparseLabels
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.training.cross_entropy import soft_cross_entropy

SHAPE = (12, 10, 8)


def sparse_labels(slices=(), shape=SHAPE, organs=("liver", "vessel"), axis=2, seed=0):
    geometry = Geometry(shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    labels = SparseLabels.unlabelled(geometry, organs)
    rng = np.random.default_rng(seed)
    for index in slices:
        size = [n for a, n in enumerate(shape) if a != axis]
        labels.set_slice(axis, index, rng.integers(0, len(organs) + 1, size))
    return labels


def test_on_its_own_grid_a_label_is_one_hot_and_an_unlabelled_voxel_counts_nothing():
    labels = sparse_labels([3, 5])

    target = label_target(labels, SHAPE)

    known = torch.from_numpy(labels.voxels != UNLABELLED)
    assert torch.equal(target.weight, known.float())
    for value in range(3):
        assert torch.equal(target.probability[value].bool() & known, torch.from_numpy(labels.voxels == value))
    assert float(target.probability[:, ~known].abs().max()) == 0


def test_a_slice_thinner_than_a_voxel_has_the_weight_of_the_part_that_it_fills():
    target = label_target(sparse_labels([3], shape=(12, 10, 9)), (12, 10, 3))

    torch.testing.assert_close(target.weight[0, 0], torch.tensor([0.0, 1 / 3, 0.0]))
    torch.testing.assert_close(target.probability.sum(dim=0)[:, :, 1], torch.ones(12, 10))


@pytest.mark.parametrize("shape", [(5, 4, 3), (12, 10, 3), (7, 10, 8)])
def test_a_coarser_grid_conserves_the_weight_of_every_class(shape):
    labels = sparse_labels([0, 3, 4])

    target = label_target(labels, shape)

    voxels = np.prod(SHAPE) / np.prod(shape)
    for value in range(3):
        expected = np.count_nonzero(labels.voxels == value)
        assert float(target.weighted[value].sum()) * voxels == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(target.weighted.sum(dim=0), target.weight)
    assert float(target.weight.max()) <= 1 + 1e-6


def test_a_labelled_slice_without_any_organ_teaches_background():
    labels = sparse_labels()
    labels.set_slice(1, 4, np.zeros((12, 8), dtype=np.uint8))

    target = label_target(labels, SHAPE)

    assert float(target.weight.sum()) == 12 * 8
    assert torch.equal(target.weighted[0], target.weight)
    assert float(target.weighted[1:].sum()) == 0


def test_cross_entropy_is_that_of_torch_for_hard_labels_on_some_voxels():
    labels, generator = sparse_labels([1, 6]), torch.Generator().manual_seed(0)
    target = label_target(labels, SHAPE)
    logits = torch.randn(1, 3, *SHAPE, generator=generator)

    loss = soft_cross_entropy(logits, target.weighted[None], target.weight[None])

    expected = F.cross_entropy(logits, torch.from_numpy(labels.voxels)[None].long(), ignore_index=UNLABELLED)
    torch.testing.assert_close(loss, expected)


def test_cross_entropy_is_that_of_torch_for_probabilities_and_ignores_unlabelled_voxels():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, 6, generator=generator, requires_grad=True)
    probability = torch.rand(2, 3, 4, 5, 6, generator=generator).softmax(dim=1)
    weight = torch.ones(2, 4, 5, 6)
    torch.testing.assert_close(soft_cross_entropy(logits, probability, weight), F.cross_entropy(logits, probability))

    weight[:, :, 2:] = 0
    soft_cross_entropy(logits, probability * weight[:, None], weight).backward()

    assert logits.grad is not None
    assert float(logits.grad[:, :, :, 2:].abs().max()) == 0
    assert float(logits.grad[:, :, :, :2].abs().min()) > 0


def test_cross_entropy_is_least_where_the_network_says_what_is_true_so_that_volumes_are_unbiased():
    target = torch.tensor([0.7, 0.3]).view(1, 2, 1, 1, 1).expand(1, 2, 4, 4, 4)
    weight = torch.full((1, 4, 4, 4), 0.2)
    shares = torch.linspace(0.02, 0.98, 97)

    said = [torch.stack([1 - p, p]).log().view(1, 2, 1, 1, 1).expand_as(target) for p in shares]
    losses = torch.stack([soft_cross_entropy(logits, target * 0.2, weight) for logits in said])

    assert float(shares[losses.argmin()]) == pytest.approx(0.3, abs=0.006)


def test_nothing_labelled_is_no_loss_and_next_to_nothing_is_next_to_none():
    logits = torch.full((1, 2, 10, 10, 10), 3.0)
    none, corner = torch.zeros(1, 10, 10, 10), torch.zeros(1, 10, 10, 10)
    corner[0, 0, 0, 0] = 0.01

    assert float(soft_cross_entropy(logits, torch.zeros(1, 2, 10, 10, 10), none)) == 0
    loss = soft_cross_entropy(logits, torch.stack([corner, 0 * corner], dim=1), corner)
    assert 0 < float(loss) < 0.02 * float(torch.tensor(2.0).log())


def test_probability_of_a_target_is_what_was_weighted():
    weight = torch.tensor([[[0.0, 0.25, 1.0]]])
    probability = torch.tensor([0.6, 0.4]).view(2, 1, 1, 1).expand(2, 1, 1, 3)

    target = SoftTarget(probability * weight, weight)

    torch.testing.assert_close(target.probability[:, 0, 0, 1:], probability[:, 0, 0, 1:])
