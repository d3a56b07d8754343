from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from USLabelEfficientSegLib.student.correlation import (
    correlation_distillation,
    random_positions,
    sample_features,
)

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def published() -> dict[str, Tensor]:
    with np.load(FIXTURES / "correlation_distillation.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def loss_by_definition(t: Tensor, t_partner: Tensor, s: Tensor, s_partner: Tensor) -> Tensor:
    """The loss with the whole N x Q x R correlations, straight from its definition."""
    t, t_partner, s, s_partner = (functional.normalize(x, dim=1) for x in (t, t_partner, s, s_partner))
    f = torch.einsum("ncq,ncr->nqr", t, t_partner)
    centred = f - f.mean(dim=2, keepdim=True)
    centred = centred - centred.mean() + f.mean()
    return (-torch.einsum("ncq,ncr->nqr", s, s_partner).clamp(0, 0.8) * (centred - 0.1)).mean()


def random_features(slices: int = 5, side: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(slices, 7, 6, 9, generator=generator, dtype=torch.float32)
    student = torch.randn(slices, 5, 8, 8, generator=generator, dtype=torch.float32)
    permutation = torch.randperm(slices, generator=generator)
    return teacher, student, random_positions(slices, generator, side), permutation


def test_samples_match_the_published_code() -> None:
    arrays = published()
    for network in ("teacher", "student"):
        sampled = sample_features(arrays[f"{network}_features"], arrays["coords"])
        torch.testing.assert_close(sampled, arrays[f"sampled_{network}"], rtol=1e-5, atol=1e-5)


def test_losses_match_the_published_code() -> None:
    arrays = published()
    loss_self, loss_permuted = correlation_distillation(
        arrays["teacher_features"], arrays["student_features"], arrays["coords"], arrays["permutation"]
    )
    assert float(loss_self) == pytest.approx(float(arrays["loss_self"]), rel=1e-5)
    assert float(loss_permuted) == pytest.approx(float(arrays["loss_permuted"]), rel=1e-5)


@pytest.mark.parametrize("side", [3, 16])
@pytest.mark.parametrize("chunk", [1, 2, 5, 8])
def test_chunks_give_loss_and_gradient_of_the_definition(chunk: int, side: int) -> None:
    teacher, student, positions, permutation = random_features(side=side)
    student.requires_grad_()
    t, s = (sample_features(x, positions).flatten(2) for x in (teacher, student))
    expected = [loss_by_definition(t, t, s, s), loss_by_definition(t, t[permutation], s, s[permutation])]
    (expected_gradient,) = torch.autograd.grad(expected[0] + 2 * expected[1], student)

    losses = correlation_distillation(teacher, student, positions, permutation, chunk=chunk)
    (gradient,) = torch.autograd.grad(losses[0] + 2 * losses[1], student)
    for loss, reference in zip(losses, expected, strict=True):
        torch.testing.assert_close(loss, reference, rtol=1e-5, atol=1e-7)
    assert expected_gradient.abs().max() > 0
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-8)


def test_no_correlation_of_all_slices_is_ever_held(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    einsum = torch.einsum

    def watched(equation: str, *operands: Tensor) -> Tensor:
        nonlocal largest
        result = einsum(equation, *operands)
        largest = max(largest, result.numel())
        return result

    monkeypatch.setattr(torch, "einsum", watched)
    teacher, student, positions, permutation = random_features(slices=6)
    student.requires_grad_()
    saved = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal saved
        saved = max(saved, tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        losses = correlation_distillation(teacher, student, positions, permutation, chunk=2)
    sum(losses, torch.zeros(())).backward()
    assert largest == 2 * 16 * 16
    assert saved <= max(student.numel(), teacher.numel())


def test_teacher_gets_no_gradient() -> None:
    teacher, student, positions, permutation = random_features()
    teacher.requires_grad_()
    student.requires_grad_()
    sum(correlation_distillation(teacher, student, positions, permutation), torch.zeros(())).backward()
    assert teacher.grad is None and student.grad is not None


def test_half_precision_training_computes_the_loss_in_full() -> None:
    teacher, student, positions, permutation = random_features()
    expected = correlation_distillation(teacher, student, positions, permutation)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = correlation_distillation(teacher, student, positions, permutation)
    assert losses[0] == expected[0] and losses[1] == expected[1]


def test_imitating_the_teacher_lowers_the_loss() -> None:
    teacher, student, positions, permutation = random_features()
    imitator = functional.interpolate(teacher, size=(8, 8), mode="bilinear")
    own = sum(correlation_distillation(teacher, student, positions, permutation))
    assert sum(correlation_distillation(teacher, imitator, positions, permutation)) < own


def test_positions_are_reproducible_and_fill_the_slice() -> None:
    first, again = (random_positions(50, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == (50, 16, 16, 2)
    assert first.min() >= -1 and first.max() <= 1 and abs(float(first.mean())) < 0.02


def test_refuses_features_of_different_slices() -> None:
    teacher, student, positions, permutation = random_features()
    with pytest.raises(ValueError, match="slices"):
        correlation_distillation(teacher[1:], student, positions, permutation)
