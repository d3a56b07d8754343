from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from USLabelEfficientSegLib.divergence.losses import (
    cross_supervision,
    dice_loss,
    hard_labels,
    information_divergence,
    interpolation_consistency,
    kullback_leibler,
    mix,
    mutual_information_gap,
    supervised_loss,
)

FIXTURE = Path(__file__).parents[2] / "fixtures" / "information_divergence.npz"


@pytest.fixture(scope="module")
def reference():
    """Computed with the code that the authors published."""
    with np.load(FIXTURE) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def test_information_divergence_is_that_of_the_authors_code(reference):
    cnn, transformer = reference["logits_cnn"], reference["logits_transformer"]
    p, q = cnn.softmax(dim=1), transformer.softmax(dim=1)

    torch.testing.assert_close(kullback_leibler(p, q), reference["kl"], atol=1e-6, rtol=0)
    torch.testing.assert_close(mutual_information_gap(p, q), reference["mutual_information_gap"], atol=1e-6, rtol=0)
    torch.testing.assert_close(information_divergence(cnn, transformer), reference["loss"], atol=1e-6, rtol=0)


def test_divergence_vanishes_where_both_are_certain_of_the_same_and_trains_both():
    certain = torch.tensor([30.0, -30.0]).view(1, 2, 1, 1).expand(2, 2, 3, 3)
    first, second = torch.randn(2, 2, 2, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_(True)

    assert information_divergence(certain, certain).item() == pytest.approx(0, abs=1e-6)
    loss = information_divergence(first, second)
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(loss, [first, second]))


def test_dice_loss_is_the_formula_and_ignores_pixels_without_weight():
    probability = torch.tensor([[0.9, 0.4, 0.2], [0.1, 0.6, 0.8]]).view(1, 2, 1, 3)
    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]).view(1, 2, 1, 3)
    weight = torch.tensor([1.0, 1.0, 0.0]).view(1, 1, 3)

    background = 2 * 0.9 / (0.9**2 + 0.4**2 + 1)
    organ = 2 * 0.6 / (0.1**2 + 0.6**2 + 1)
    assert dice_loss(probability, target, weight).item() == pytest.approx(1 - (background + organ) / 2, abs=1e-5)


def test_supervised_loss_is_half_cross_entropy_half_dice():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 4, generator=generator)
    label = torch.randint(3, (2, 5, 4), generator=generator)
    target = F.one_hot(label, 3).movedim(-1, 1).float()
    weight = torch.ones(2, 5, 4)

    expected = (F.cross_entropy(logits, label) + dice_loss(logits.softmax(dim=1), target, weight)) / 2
    torch.testing.assert_close(supervised_loss(logits, target, weight), expected)


def test_images_without_any_label_cost_nothing():
    logits = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_(True)

    loss = supervised_loss(logits, torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4))

    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert torch.autograd.grad(loss, logits)[0].abs().max() == 0


def test_cross_supervision_trains_the_one_that_learns_and_not_the_one_that_decides():
    learner, decider = torch.randn(2, 1, 3, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_(True)

    loss = cross_supervision(learner, decider, torch.ones(1, 4, 4))
    gradients = torch.autograd.grad(loss, [learner, decider], allow_unused=True)

    assert gradients[0].abs().sum() > 0 and gradients[1] is None
    assert cross_supervision(100 * hard_labels(decider), decider, torch.ones(1, 4, 4)).item() < 1e-4


def test_mixed_prediction_must_be_the_mix_of_the_predictions():
    first, second = torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=2)
    mixed = mix(first, second, torch.tensor([0.0, 0.25, 1.0]))

    torch.testing.assert_close(mixed[0], second[0])
    torch.testing.assert_close(mixed[1], 0.25 * first[1] + 0.75 * second[1])
    torch.testing.assert_close(mixed[2], first[2])
    assert interpolation_consistency(mixed.log(), mixed).item() == pytest.approx(0, abs=1e-10)
    assert interpolation_consistency(mixed.log(), 1 - mixed).item() > 0.01
