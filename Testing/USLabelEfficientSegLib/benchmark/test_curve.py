import time
from functools import partial
from operator import truediv

import pytest

from USLabelEfficientSegLib.benchmark.clock import stopwatch
from USLabelEfficientSegLib.benchmark.curve import CurveRecorder, read_curve


@pytest.fixture
def record(tmp_path):
    """Train a pretended method, whose Dice is what it is told to be, and give the points measured so far."""

    def run(shares, stage="training", seconds_to_measure=0.0):
        def dice_of(model):
            time.sleep(seconds_to_measure)
            return model

        with stopwatch(tmp_path / "minutes.json") as watch:
            recorder = CurveRecorder(tmp_path / "curve.json", watch, dice_of)
            for share in shares:
                recorder(stage, share, partial(truediv, share, 2))
        return recorder.points

    return run


def test_dice_is_measured_when_a_mark_is_passed(record):
    points = record([step / 10 for step in range(1, 11)])

    assert [(point.share, point.dice) for point in points] == [(0.125, 0.1), (0.25, 0.15), (0.5, 0.25), (1.0, 0.5)]
    assert [point.seconds for point in points] == sorted(point.seconds for point in points)


def test_marks_that_are_passed_at_once_are_measured_once(record):
    assert [point.share for point in record([1.0])] == [1.0]


def test_every_stage_has_its_marks_and_a_continued_run_measures_none_twice(tmp_path, record):
    record([0.3, 0.6], "student 1.1")
    record([0.2, 0.4, 0.6, 1.0], "student 1.1")
    points = record([1.0], "student 2.1")

    assert [(point.stage, point.share) for point in points] == [
        ("student 1.1", 0.25),
        ("student 1.1", 0.5),
        ("student 1.1", 1.0),
        ("student 2.1", 1.0),
    ]
    assert read_curve(tmp_path / "curve.json") == points


def test_measuring_takes_no_time(record):
    points = record([0.125, 0.25, 0.5, 1.0], seconds_to_measure=0.2)
    assert points[-1].seconds < 0.2
