"""What is drawn of an organ is true, sparse and varied; opinions are partly wrong."""

import numpy as np
import pytest

from USLabelEfficientSegLib.prompting.simulated_prompts import draw_prior, draw_prompts

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
