from pathlib import Path

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.teacher.dino import (
    DinoHead,
    DinoLoss,
    teacher_momentum,
    teacher_temperature,
)

FIXTURES = Path(__file__).parents[2] / "fixtures"


def test_losses_and_centre_equal_the_reference_over_successive_calls() -> None:
    with np.load(FIXTURES / "dino_loss.npz") as arrays:
        reference = dict(arrays)
    loss_function = DinoLoss(
        reference["center_after"].size,
        student_temperature=float(reference["student_temperature"]),
        center_momentum=float(reference["center_momentum"]),
    )
    teacher, student = torch.from_numpy(reference["teacher"]), torch.from_numpy(reference["student"])
    losses = [
        float(loss_function(teacher * float(scale), student, float(reference["teacher_temperature"])))
        for scale in reference["teacher_scale"]
    ]
    np.testing.assert_allclose(losses, reference["losses"], rtol=1e-5)
    np.testing.assert_allclose(loss_function.center.numpy(), reference["center_after"], rtol=1e-5)


def test_the_teacher_receives_no_gradient() -> None:
    teacher = torch.randn(2, 3, 8, requires_grad=True)
    student = torch.randn(4, 3, 8, requires_grad=True)
    DinoLoss(8)(teacher, student, 0.04).backward()
    assert teacher.grad is None
    assert student.grad is not None and student.grad.abs().sum() > 0


def test_head_scores_are_cosines_and_do_not_depend_on_the_gain_of_the_last_layer() -> None:
    torch.manual_seed(0)
    head = DinoHead(12, 20, hidden_dim=16, bottleneck_dim=8)
    features = torch.randn(5, 12)
    scores = head(features)
    assert scores.abs().max() <= 1 + 1e-6
    with torch.no_grad():
        head.last_layer.weight.mul_(7)
    torch.testing.assert_close(head(features), scores)


def test_schedules_run_from_their_start_to_their_end() -> None:
    assert teacher_momentum(0, 100) == pytest.approx(0.996)
    assert teacher_momentum(100, 100) == pytest.approx(1.0)
    assert teacher_temperature(0, 100) == pytest.approx(0.04)
    assert teacher_temperature(15, 100) == pytest.approx(0.055)
    assert teacher_temperature(90, 100) == pytest.approx(0.07)
