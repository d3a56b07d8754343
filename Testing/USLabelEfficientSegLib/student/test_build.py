from typing import Any

import pytest
import torch
from pydantic import ValidationError

from USLabelEfficientSegLib.student.build import StudentDesign, build_student


def design(network="u-net", slice_axis=2, classes=3):
    return StudentDesign(
        network=network, classes=classes, spacing=(1.0, 1.0, 2.0), slice_axis=slice_axis, widths=(4, 8, 8)
    )


@pytest.mark.parametrize("network", ["u-net", "published"])
@pytest.mark.parametrize("slice_axis", range(3))
def test_every_student_takes_image_and_position_and_gives_logits_of_the_same_size(network, slice_axis):
    student: Any = build_student(design(network, slice_axis)).eval()
    volume = torch.randn(1, 5, 12, 10, 9)

    with torch.no_grad():
        logits, features = student.forward_with_features(volume)
        torch.testing.assert_close(student(volume), logits)

    assert logits.shape == (1, 3, 12, 10, 9)
    assert features.ndim == 5 and bool(features.isfinite().all())
    for n, cells, side in zip(volume.shape[2:], features.shape[2:], student.cell, strict=True):
        assert (cells - 1) * side < n + 8 and cells * side >= n  # padded to cells of at most eight voxels


@pytest.mark.parametrize("slice_axis", range(3))
def test_the_published_student_reads_slices_along_the_slice_axis_and_keeps_their_number(slice_axis):
    student: Any = build_student(design("published", slice_axis)).eval()
    volume = torch.randn(1, 5, 16, 16, 16)
    with torch.no_grad():
        _, features = student.forward_with_features(volume)
        moved = volume.movedim(slice_axis + 2, 2)
        expected = build_student(design("published", 0)).eval()
        expected.load_state_dict(student.state_dict())
        logits = expected(moved).movedim(2, slice_axis + 2)
        torch.testing.assert_close(student(volume), logits)

    shape = [2, 2, 2]
    shape[slice_axis] = 16
    assert features.shape == (1, 384, *shape)


def test_the_published_student_sees_the_image_alone():
    student = build_student(design("published")).eval()
    volume = torch.randn(1, 5, 8, 8, 4)
    other = volume.clone()
    other[:, 1:] += 1

    with torch.no_grad():
        assert torch.equal(student(volume), student(other))


def test_a_design_survives_json_and_refuses_what_it_does_not_know():
    original = design("published", 1)

    assert StudentDesign.model_validate(original.model_dump(mode="json")) == original
    with pytest.raises(ValidationError):
        StudentDesign.model_validate({**original.model_dump(), "depth": 4})
    with pytest.raises(ValidationError):
        StudentDesign.model_validate({**original.model_dump(), "network": "eval"})
