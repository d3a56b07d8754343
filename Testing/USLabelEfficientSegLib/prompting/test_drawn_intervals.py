"""The interval of a volume in which somebody has drawn."""

import numpy as np
import pytest

from USLabelEfficientSegLib.prompting.drawing import Told
from USLabelEfficientSegLib.prompting.drawn_intervals import ALONE, WITH_MODEL, bounds, doubt_of


@pytest.fixture
def probability():
    """A ball with a soft boundary."""
    place = np.stack(np.meshgrid(*[np.arange(24) - 11.5] * 3, indexing="ij"))
    return (1 / (1 + np.exp(np.linalg.norm(place, axis=0) - 7))).astype(np.float32)


@pytest.mark.parametrize("rules", [ALONE, WITH_MODEL])
def test_the_more_a_drawing_tells_of_the_extent_the_narrower_is_the_interval(probability, rules):
    widths = []
    for told in (Told.ONE_SLICE, Told.EXTENT, Told.THREE_AXES):
        low, high = bounds(probability, told, rules)
        assert 0 < low < probability.sum() < high
        widths.append(high - low)

    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("told", Told)
@pytest.mark.parametrize("rules", [ALONE, WITH_MODEL])
@pytest.mark.parametrize("sharpness", [1, 8, 60])
def test_a_volume_lies_in_its_interval_however_little_is_in_doubt(probability, rules, told, sharpness):
    odds = sharpness * (np.log(probability) - np.log1p(-probability))
    sharp = (1 / (1 + np.exp(-odds.astype(np.float64).clip(-80, 80)))).astype(np.float32)

    low, high = bounds(sharp, told, rules)

    assert low < sharp.sum(dtype=np.float64) < high


def test_what_was_drawn_is_certain(probability):
    drawn = np.round(probability)

    assert bounds(drawn, Told.ONE_SLICE, ALONE) == pytest.approx((drawn.sum(), drawn.sum()))


def test_doubt_is_the_share_that_may_be_otherwise():
    assert doubt_of(np.array([1.0, 0.0, 0.5, 0.5])) == pytest.approx(0.25)
    assert doubt_of(np.zeros(4)) == 0
