"""How far a whole training is, from events of its stages."""

import pytest

from USLabelEfficientSegLib.study.events import Event
from USLabelEfficientSegLib.study.stages import NumberedStage, Stage
from USLabelEfficientSegLib.study.total_progress import TotalProgress

READING = NumberedStage(Stage.READING_VOLUMES)
FIRST_STUDENT = NumberedStage(Stage.STUDENT, round=1, member=1)
STAGES = (
    (NumberedStage(Stage.TEACHER), 30.0), (FIRST_STUDENT, 100.0), (NumberedStage(Stage.CALIBRATION), 10.0),
)  # fmt: skip


def test_stages_of_an_earlier_start_count_as_done_and_not_as_fast():
    total = TotalProgress(STAGES)
    total(Event("student 1.1", 0, 2))

    assert total.share == pytest.approx(30 / 140) and total.seconds_left is None


def test_students_that_learn_beside_do_not_mean_that_what_comes_before_them_is_done():
    total = TotalProgress((*STAGES[:2], (NumberedStage(Stage.SUPERVISED, member=1), 70.0)))
    total(Event("labels alone 1", 35, 70))

    assert total.share == pytest.approx(35 / 200)


def test_2d_networks_that_learn_beside_each_other_do_not_mean_that_the_first_is_done():
    plan = [(NumberedStage(Stage.SLICE_NETWORK, member=member), 50.0) for member in (1, 2)]
    total = TotalProgress(plan)
    total(Event("slice network 2", 5, 10))

    assert total.share == pytest.approx(25 / 100)


def test_what_a_resumed_training_finds_done_does_not_count_as_speed():
    total = TotalProgress([(READING, 10.0), *STAGES])
    total(Event("reading volumes", 1, 1, time=1000.0))
    total(Event("teacher", 3, 3, time=1006.0, message="already trained"))
    assert total.share == pytest.approx(40 / 150) and total.seconds_left is None

    total(Event("student 1.1", 1, 4, time=1056.0))

    assert total.seconds_left == pytest.approx(50 * 85 / 25)  # 25 of 150 parts in 50 s, 85 are left


def test_a_new_start_begins_at_nothing_and_the_end_is_everything():
    total = TotalProgress([(READING, 10.0), *STAGES])
    total(Event("student 1.1", 3, 4, time=10.0))
    total(Event("reading volumes", 1, 5, time=900.0))
    assert total.share == pytest.approx(2 / 150) and total.seconds_left is None

    total(Event("finished", 1, 1, time=950.0))  # 2-D networks sufficed: no student has learnt

    assert total.share == 1.0 and total.seconds_left == 0.0
