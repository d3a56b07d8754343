"""Durations in words, and an estimate only where something was measured."""

import pytest

from USLabelEfficientSegLib.slicer_side.training_time import in_words, seconds_on_processor


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (40, "40 s"), (100, "2 min"), (5399, "90 min"), (7300, "2 h"), (200_000, "2 days")],
)
def test_durations_are_told_in_the_unit_that_people_use(seconds, words):
    assert in_words(seconds) == words


def test_only_the_measured_preset_is_estimated_and_more_volumes_take_longer():
    assert 0 < seconds_on_processor("quick", 6) < seconds_on_processor("quick", 100) < 3600
    assert seconds_on_processor("standard", 6) is None
