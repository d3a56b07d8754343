"""An estimate only where something was measured."""

from typing import Any

import pytest

from USLabelEfficientSegLib.study.settings import preset
from USLabelEfficientSegLib.study.training_time import seconds_on_processor


def seconds(name: str, *case: Any) -> float:
    """The estimate where there is one."""
    estimate = seconds_on_processor(name, *case)
    assert estimate is not None
    return estimate


def test_only_the_measured_preset_is_estimated_and_more_volumes_and_labels_take_longer():
    assert 0 < seconds("quick", 6, 15) < seconds("quick", 100, 15) < 3600
    assert seconds("quick", 6, 10) < seconds("quick", 6, 15)
    assert seconds_on_processor("standard", 6, 15) is None


def test_the_measured_training_is_estimated_well_and_one_that_continues_is_much_shorter():
    measured = 564

    assert seconds("quick", 67, 15) == pytest.approx(measured, rel=0.05)
    assert seconds("quick", 67, 15, "all students") < measured / 4


def test_a_student_that_joins_when_there_are_labels_enough_takes_its_whole_time():
    joins, learns_on = (seconds("quick", 67, 15, kind) for kind in ("distilled students", "all students"))

    assert joins - learns_on == pytest.approx(7 / 8 * 0.033 * 12_000)
    assert seconds("quick", 67, 4, "distilled students") == seconds("quick", 67, 4, "all students")


def test_few_labelled_slices_take_much_less_time_because_no_student_learns_from_them_alone():
    seven, eight = (seconds("quick", 67, slices) for slices in (7, 8))

    assert seconds("quick", 67, 4) < 180
    assert eight - seven > 0.8 * 0.033 * 800 * 8


def test_the_estimate_knows_the_steps_of_the_preset():
    settings = preset("quick").student
    more, most = (seconds("quick", 1, slices) for slices in (1000, 2000))

    assert more == most
    assert most == pytest.approx(51.2 + 0.033 * (settings.rounds * settings.steps + settings.label_steps))
