"""What is drawn of an organ is true, sparse and varied; opinions are partly wrong."""

import numpy as np
import pytest
from scipy import ndimage

from USLabelEfficientSegLib.promptable_network.simulated_prompts import draw_prior, draw_prompts, draw_strokes

SIZE = 32


@pytest.fixture
def organ():
    i, j, k = np.ogrid[:SIZE, :SIZE, :SIZE]
    return (i - 15) ** 2 / 64 + (j - 14) ** 2 / 36 + (k - 18) ** 2 / 49 < 1


def slices_told(told):
    return [sum(bool(told.take(index, axis).all()) for index in range(SIZE)) for axis in range(3)]


def test_what_was_drawn_is_one_in_the_organ_minus_one_outside_and_nothing_elsewhere(organ):
    for seed in range(40):
        prompts = draw_prompts(np.random.default_rng(seed), organ, has_prior=False)

        assert prompts.drawn.shape == prompts.told.shape == organ.shape
        assert set(np.unique(prompts.told)) <= {0, 1}
        assert np.array_equal(np.abs(prompts.drawn), prompts.told)
        right = prompts.drawn[prompts.told > 0] == np.where(organ, 1, -1)[prompts.told > 0]
        assert right.mean() > 0.9  # thick slices repeat their middle, as those of thick images do


def test_something_is_always_drawn_unless_there_is_an_opinion(organ):
    def told(has_prior):
        return [draw_prompts(np.random.default_rng(s), organ, has_prior=has_prior).told.any() for s in range(400)]

    assert all(told(False))
    assert 0.9 < np.mean(told(True)) < 1


def test_most_prompts_are_one_to_three_slices_and_some_are_strokes_alone(organ):
    told = [draw_prompts(np.random.default_rng(seed), organ, has_prior=False).told for seed in range(200)]
    counts = [sum(slices_told(one)) for one in told]

    assert np.mean([1 <= count <= 6 for count in counts]) > 0.7
    assert 0.03 < np.mean([count == 0 for count in counts]) < 0.3
    axes_seen = np.sum([np.array(slices_told(one)) > 0 for one in told], axis=0)
    assert axes_seen.min() > 40


def test_an_opinion_is_a_probability_that_agrees_with_the_organ_more_or_less(organ):
    agreement = []
    for seed in range(40):
        prior = draw_prior(np.random.default_rng(seed), organ)
        mask = prior > 0.5

        assert prior.dtype == np.float32 and prior.min() >= 0 and prior.max() <= 1
        agreement.append(2 * (mask & organ).sum() / (mask.sum() + organ.sum()))
    assert np.median(agreement) > 0.7
    assert min(agreement) < 0.85 < max(agreement)


def test_some_strokes_all_lie_in_one_slice_and_some_are_broad(organ):
    def kinds(told):
        spots = np.argwhere(told)
        in_one_slice = bool((np.ptp(spots, axis=0) == 0).any())
        broad = any(ndimage.binary_opening(told, np.ones(shape)).any() for shape in ((1, 3, 3), (3, 1, 3), (3, 3, 1)))
        return in_one_slice, broad

    told = [draw_prompts(np.random.default_rng(seed), organ, has_prior=False).told > 0 for seed in range(300)]
    strokes = [kinds(one) for one in told if not sum(slices_told(one)) and one.sum() > 40]

    assert len(strokes) > 30
    in_one_slice, broad = np.mean(strokes, axis=0)
    assert 0.1 < in_one_slice < 0.7
    assert 0.2 < broad < 0.8


def test_strokes_across_an_axis_stay_in_their_slices(organ):
    told = np.zeros_like(organ)

    draw_strokes(np.random.default_rng(3), organ[:, :, 18:19], told[:, :, 18:19], 12, across=2)

    assert told[:, :, 18].sum() > 40
    assert not np.delete(told, 18, axis=2).any()
