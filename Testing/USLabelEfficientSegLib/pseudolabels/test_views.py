import pytest
import torch
from torch import Tensor

from USLabelEfficientSegLib.pseudolabels.views import predict_views, suppress_small


def identity(slices: Tensor, numbers: Tensor) -> Tensor:
    return slices


def two_classes(slices: Tensor, numbers: Tensor) -> Tensor:
    return torch.cat([1 - slices, slices], dim=1)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def smooth_slices(count: int = 3, height: int = 40, width: int = 56) -> Tensor:
    y = torch.linspace(-1, 1, height)[:, None]
    x = torch.linspace(-1, 1, width)[None, :]
    return torch.stack([0.5 + 0.3 * torch.sin(2 * x + n) * torch.cos(y - n) for n in range(count)])[:, None]


def test_constant_slices_come_back_exactly_and_certain() -> None:
    slices = torch.full((3, 1, 40, 56), 0.7)
    mean, deviation = predict_views(identity, slices, 8, 45, 0.1, generator(), deviation_floor=0)
    torch.testing.assert_close(mean, slices, atol=1e-5, rtol=0)
    assert deviation.max() < 1e-5


def test_an_equivariant_model_gives_back_the_slice() -> None:
    slices = smooth_slices()
    mean, deviation = predict_views(identity, slices, 12, 45, 0.1, generator(), mean_floor=0, deviation_floor=0)
    error = (mean - slices).abs()
    one_pixel = slices.diff(dim=3).abs().max()
    assert error.mean() < 0.02 * one_pixel
    assert error.max() < 0.5 * one_pixel and error[..., 2:-2, 2:-2].max() < 0.1 * one_pixel
    assert deviation.mean() < 0.02 * one_pixel


def test_a_single_dot_is_mapped_back_to_its_pixel() -> None:
    slices = torch.zeros(1, 1, 41, 61)
    slices[0, 0, 12, 40] = 1
    mean, _ = predict_views(identity, slices, 20, 45, 0.05, generator(), mean_floor=0)
    y = (mean[0, 0].sum(dim=1) * torch.arange(41)).sum() / mean.sum()
    x = (mean[0, 0].sum(dim=0) * torch.arange(61)).sum() / mean.sum()
    assert (float(y), float(x)) == pytest.approx((12, 40), abs=0.05)
    assert int(mean.argmax()) == 12 * 61 + 40


def test_the_first_view_is_the_slice_itself() -> None:
    slices = torch.rand(3, 1, 20, 24, generator=generator())
    mean, deviation = predict_views(identity, slices, 1, 45, 0.1, generator(), mean_floor=0)
    assert torch.equal(mean, slices) and not deviation.any()


def test_views_really_differ_and_are_the_same_for_any_batch_size() -> None:
    seen: list[Tensor] = []

    def remember(slices: Tensor, numbers: Tensor) -> Tensor:
        seen.append(slices)
        return two_classes(slices, numbers)

    slices = smooth_slices(5)
    mean, deviation = predict_views(remember, slices, 4, 45, 0.1, generator(), batch_size=5)
    first, *others = seen
    assert torch.equal(first, slices) and len(others) == 3
    assert all((view - slices).abs().mean() > 0.05 for view in others)
    in_pairs = predict_views(two_classes, slices, 4, 45, 0.1, generator(), batch_size=2)
    torch.testing.assert_close(in_pairs[0], mean)
    torch.testing.assert_close(in_pairs[1], deviation, atol=1e-5, rtol=1e-4)


def test_the_model_is_told_which_slices_it_sees() -> None:
    seen: list[list[int]] = []

    def remember(slices: Tensor, numbers: Tensor) -> Tensor:
        seen.append(numbers.tolist())
        return slices

    predict_views(remember, smooth_slices(5), 2, 45, 0.1, generator(), batch_size=3)
    assert seen == [[0, 1, 2], [0, 1, 2], [3, 4], [3, 4]]


def test_deviation_is_the_population_standard_deviation_over_the_views() -> None:
    values = iter([0.2, 0.6, 0.9, 0.4])

    def by_turns(slices: Tensor, numbers: Tensor) -> Tensor:
        return two_classes(torch.full_like(slices, next(values)), numbers)

    mean, deviation = predict_views(by_turns, torch.rand(1, 1, 32, 32), 4, 0, 0, generator())
    drawn = torch.tensor([0.2, 0.6, 0.9, 0.4])
    torch.testing.assert_close(mean[:, 1], torch.full((1, 32, 32), float(drawn.mean())))
    torch.testing.assert_close(deviation, torch.full((1, 32, 32), float(drawn.std(correction=0))))


def test_only_views_that_cover_a_pixel_count() -> None:
    calls = iter([0.0, 1.0])

    def first_empty_then_full(slices: Tensor, numbers: Tensor) -> Tensor:
        return torch.full_like(slices, next(calls))

    mean, _ = predict_views(first_empty_then_full, torch.rand(1, 1, 64, 64), 2, 0, 0.4, generator(), mean_floor=0)
    assert set(mean.unique().tolist()) == {0.0, 0.5}


def test_small_organ_probabilities_go_to_the_background() -> None:
    mean = torch.tensor([[0.55, 0.35], [0.05, 0.6], [0.4, 0.05]])[None]
    kept, deviation = suppress_small(mean, torch.tensor([[0.009, 0.02]]), 0.1, 0.01)
    torch.testing.assert_close(kept, torch.tensor([[0.6, 0.4], [0.0, 0.6], [0.4, 0.0]])[None])
    torch.testing.assert_close(deviation, torch.tensor([[0.0, 0.02]]))
    single, _ = suppress_small(torch.tensor([[[0.05, 0.2]]]), deviation, 0.1, 0.01)
    torch.testing.assert_close(single, torch.tensor([[[0.0, 0.2]]]))


def test_probabilities_of_several_classes_sum_to_one() -> None:
    mean, deviation = predict_views(two_classes, smooth_slices(), 6, 45, 0.1, generator())
    torch.testing.assert_close(mean.sum(dim=1), torch.ones(3, 40, 56))
    assert deviation.shape == (3, 40, 56) and deviation.max() <= 0.5


def test_refuses_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="must be \\(N, 1, H, W\\)"):
        predict_views(identity, torch.rand(2, 3, 8, 8), 2, 45, 0.1, generator())
    with pytest.raises(ValueError, match="at least 1"):
        predict_views(identity, torch.rand(2, 1, 8, 8), 0, 45, 0.1, generator())
    with pytest.raises(ValueError, match="slice model returned"):
        predict_views(lambda slices, numbers: slices[..., ::2, ::2], torch.rand(2, 1, 8, 8), 2, 45, 0.1, generator())
