import pytest
import torch

from USLabelEfficientSegLib.pseudolabels.fusion import confidence, fuse, slices_to_volume, volume_to_slices


def test_one_axis_is_returned_as_it_is() -> None:
    mean, deviation = torch.rand(3, 4, 5, 6).softmax(dim=0), 0.5 * torch.rand(4, 5, 6)
    fused = fuse([mean], [deviation])
    torch.testing.assert_close(fused.probability, mean)
    torch.testing.assert_close(fused.deviation, deviation)
    torch.testing.assert_close(fused.weight, 1 - deviation)


def test_the_surer_axis_counts_more() -> None:
    means = [torch.tensor([0.2, 0.8]).reshape(2, 1, 1, 1), torch.tensor([0.9, 0.1]).reshape(2, 1, 1, 1)]
    deviations = [torch.full((1, 1, 1), 0.1), torch.full((1, 1, 1), 0.3)]
    fused = fuse(means, deviations, variance_floor=0.01)
    first, second = 1 / 0.02, 1 / 0.10
    p = (first * 0.2 + second * 0.9) / (first + second)
    variance = (first * (0.01 + (0.2 - p) ** 2) + second * (0.09 + (0.9 - p) ** 2)) / (first + second)
    torch.testing.assert_close(fused.probability.flatten(), torch.tensor([p, 1 - p]))
    torch.testing.assert_close(fused.deviation.flatten(), torch.tensor([variance**0.5]))
    torch.testing.assert_close(fused.weight.flatten(), torch.tensor([1 - variance**0.5]))


def test_axes_that_disagree_are_less_trusted_than_axes_that_agree() -> None:
    certain = torch.zeros(1, 1, 1)
    left, right = torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1), torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)
    assert fuse([left, left], [certain, certain]).weight.item() == 1
    assert fuse([left, right], [certain, certain]).weight.item() == pytest.approx(0.5)


def test_classes_still_sum_to_one() -> None:
    generator = torch.Generator().manual_seed(0)
    means = [torch.rand(3, 4, 5, 6, generator=generator).softmax(dim=0) for _ in range(3)]
    deviations = [0.5 * torch.rand(4, 5, 6, generator=generator) for _ in range(3)]
    fused = fuse(means, deviations)
    torch.testing.assert_close(fused.probability.sum(dim=0), torch.ones(4, 5, 6))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_return_to_their_place_in_the_volume(axis: int) -> None:
    volume = torch.arange(60.0).reshape(3, 4, 5)
    slices = volume_to_slices(volume, axis)
    assert torch.equal(slices[1, 0], volume.select(axis, 1))
    assert torch.equal(slices_to_volume(torch.cat([slices, -slices], dim=1), axis), torch.stack([volume, -volume]))


def test_confidence_is_clipped() -> None:
    assert confidence(torch.tensor([0.0, 0.3, 1.5])).tolist() == pytest.approx([1.0, 0.7, 0.0])


def test_refuses_predictions_of_different_grids() -> None:
    mean, deviation = torch.rand(2, 4, 5, 6), torch.rand(4, 5, 6)
    with pytest.raises(ValueError, match="one grid"):
        fuse([mean, mean[:, 1:]], [deviation, deviation])
    with pytest.raises(ValueError, match="as many deviations as means"):
        fuse([mean], [])
