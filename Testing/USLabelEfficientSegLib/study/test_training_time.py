"""An estimate only where something was measured."""

from typing import Any

import pytest

from USLabelEfficientSegLib.method.plan import FOLDS, SHARE_OF_STEPS
from USLabelEfficientSegLib.study.settings import preset
from USLabelEfficientSegLib.study.training_time import (
    SECONDS_A_SLICE_STEP,
    SECONDS_A_SLICE_VOTE,
    Estimate,
    seconds_on_processor,
)


def estimate(name: str, *case: Any, **labelled: Any) -> Estimate:
    """The estimate where there is one."""
    found = seconds_on_processor(name, *case, **labelled)
    assert found is not None
    return found


def of_students(*case: Any) -> float:
    """What the 3-D students take, without 2-D networks."""
    return estimate("quick", *case, axes=0).most


def test_only_the_measured_preset_is_estimated_and_more_volumes_and_labels_take_longer() -> None:
    assert 0 < estimate("quick", 6, 15).least < estimate("quick", 100, 15).least
    assert 0 < estimate("quick", 6, 15).most < estimate("quick", 100, 15).most < 3600
    assert estimate("quick", 6, 10).most < estimate("quick", 6, 15).most
    assert seconds_on_processor("standard", 6, 15) is None


def test_where_location_says_little_training_ends_with_the_2d_networks() -> None:
    least, most = estimate("quick", 6, 15)

    assert least < most / 2


def test_the_measured_training_of_students_is_estimated_well_and_one_that_continues_is_much_shorter() -> None:
    measured = 564

    assert of_students(67, 15) == pytest.approx(measured, rel=0.05)
    assert of_students(67, 15, "all students") < measured / 4


def test_each_labelled_axis_has_a_network_which_always_learns_anew() -> None:
    one, three = (estimate("quick", 10, 12, "all students", axes=axes) for axes in (1, 3))
    settings = preset("quick").slice_network
    steps = settings.steps * (1 + FOLDS * SHARE_OF_STEPS)

    # Slices of other axes label lines of each network's slices: a step takes a quarter longer.
    of_three = 3 * (1.25 * SECONDS_A_SLICE_STEP * steps + SECONDS_A_SLICE_VOTE * 10)
    assert three.least - one.least == pytest.approx(of_three - SECONDS_A_SLICE_STEP * steps - SECONDS_A_SLICE_VOTE * 10)
    assert three.most - one.most == pytest.approx(three.least - one.least)


def test_a_single_volume_with_organs_leaves_none_out_to_test_on_and_has_no_students() -> None:
    one, two = (estimate("quick", 10, 4, labelled_volumes=count) for count in (1, 2))
    steps = 2 * SHARE_OF_STEPS * preset("quick").slice_network.steps
    alignments = 2 * 0.4 * 10

    assert two.least - one.least == pytest.approx(steps * SECONDS_A_SLICE_STEP + alignments)
    assert one.most == one.least and two.most > two.least


def test_a_student_that_joins_when_there_are_labels_enough_takes_its_whole_time() -> None:
    joins, learns_on = (of_students(67, 15, kind) for kind in ("distilled students", "all students"))

    assert joins - learns_on == pytest.approx(7 / 8 * 0.033 * 12_000)
    assert of_students(67, 4, "distilled students") == of_students(67, 4, "all students")


def test_few_labelled_slices_take_much_less_time_because_no_student_learns_from_them_alone() -> None:
    seven, eight = (of_students(67, slices) for slices in (7, 8))

    assert of_students(67, 4) < 180
    assert eight - seven > 0.8 * 0.033 * 800 * 8


def test_the_estimate_knows_the_steps_of_the_preset() -> None:
    settings = preset("quick").student
    more, most = (of_students(1, slices) for slices in (1000, 2000))

    assert more == most
    assert most == pytest.approx(51.2 + 0.033 * (settings.rounds * settings.steps + settings.label_steps))


def test_larger_slices_take_longer_in_proportion_to_their_pixels() -> None:
    usual, twice = (estimate("quick", 10, 4, slice_pixels=pixels) for pixels in (160 * 160, 2 * 160 * 160))
    steps = preset("quick").slice_network.steps * (1 + FOLDS * SHARE_OF_STEPS)

    assert usual == estimate("quick", 10, 4)
    assert twice.least - usual.least == pytest.approx(SECONDS_A_SLICE_STEP * steps + SECONDS_A_SLICE_VOTE * 10)
