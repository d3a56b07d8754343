from pathlib import Path

import numpy as np
import torch

from USLabelEfficientSegLib.pseudolabels.deviation import inter_slice_deviation

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def test_matches_the_published_code() -> None:
    mean = torch.from_numpy(np.load(FIXTURES / "pseudo_label_refinement.npz")["mean"])
    expected = np.load(FIXTURES / "inter_slice_std.npz")["inter_slice_std"]
    np.testing.assert_allclose(inter_slice_deviation(mean).numpy(), expected, rtol=1e-5, atol=1e-8)


def test_works_along_any_axis_of_several_classes() -> None:
    mean = torch.rand(2, 4, 5, 6)
    along_last = inter_slice_deviation(mean, axis=3)
    torch.testing.assert_close(along_last.movedim(3, 0), inter_slice_deviation(mean.movedim(3, 0)))


def test_deviations_below_the_floor_count_as_none() -> None:
    mean = torch.tensor([0.5, 0.509, 0.55])
    expected = torch.tensor([0.009, ((0.009**2 + 0.041**2) / 2) ** 0.5, 0.041])
    torch.testing.assert_close(inter_slice_deviation(mean, floor=0), expected, rtol=1e-4, atol=0)
    assert (inter_slice_deviation(mean) > 0).tolist() == [False, True, True]


def test_counts_one_neighbour_at_the_ends_and_two_between() -> None:
    deviation = inter_slice_deviation(torch.tensor([0.0, 1.0, 1.0]))
    torch.testing.assert_close(deviation, torch.tensor([1.0, 0.5**0.5, 0.0]))


def test_a_single_slice_deviates_from_nothing() -> None:
    assert torch.equal(inter_slice_deviation(torch.rand(1, 4, 4)), torch.zeros(1, 4, 4))
