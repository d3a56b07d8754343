"""A training in a few steps, and its total, as the panel tells them."""

import pytest

from USLabelEfficientSegLib.study.events import EventLog
from USLabelEfficientSegLib.study.stages import NumberedStage, Stage

PLAN = [
    (NumberedStage(Stage.READING_VOLUMES), 5.0),
    (NumberedStage(Stage.SLICE_NETWORK, member=1), 45.0),
    (NumberedStage(Stage.TEACHER), 20.0),
    (NumberedStage(Stage.STUDENT, 1, 1), 25.0),
    (NumberedStage(Stage.CALIBRATION), 5.0),
]


@pytest.fixture
def training(host, tmp_path):
    """Its event log, and what is told of it after events."""
    from USLabelEfficientSegLib.slicer_side.steps.training_monitor import TrainingMonitor
    from USLabelEfficientSegLib.slicer_side.steps.training_steps import TrainingTotal, training_steps

    total = TrainingTotal(PLAN)
    monitor = TrainingMonitor(tmp_path / "events.jsonl", total.take)

    def told():
        monitor.update()
        lines = training_steps(PLAN, monitor.stages, monitor.finished)
        return [step.line(number) for number, step in enumerate(lines, start=1)], total

    return EventLog(tmp_path / "events.jsonl"), told


def test_the_steps_say_what_is_done_what_runs_and_what_waits(training):
    log, told = training
    log.emit("reading volumes", 6, 6)
    log.emit("slice network 1", 2, 10)
    lines, total = told()

    assert lines == [
        "✓ 1 Reading", "▶ 2 Learning in 2-D", "○ 3 Studying all slices", "○ 4 Learning in 3-D", "○ 5 Checking",
    ]  # fmt: skip
    assert total.percent == 14 and total.told(running=True) == "Total 14 %"
    assert total.told(running=False) == "Total 14 %, stopped"


def test_the_time_left_is_the_most_until_it_is_known_whether_students_are_needed(training, monkeypatch):
    from USLabelEfficientSegLib.study.total_progress import TotalProgress

    monkeypatch.setattr(TotalProgress, "seconds_left", 600.0)
    log, told = training
    log.emit("slice network 1", 2, 10)
    _lines, total = told()
    assert "at most 10 min left" in total.told(running=True)

    log.emit("supervised 1", 1, 5)  # may learn beside anything
    assert "at most" in told()[1].told(running=True)

    log.emit("student", 1, 5)
    text = told()[1].told(running=True)
    assert "10 min left" in text and "at most" not in text


def test_a_step_that_the_training_leaves_out_is_not_waited_for(training):
    """Where 2-D networks decide alone, neither the teacher nor students are needed."""
    log, told = training
    for stage in ("reading volumes", "slice network 1", "calibration"):
        log.emit(stage, 1, 1)
    lines, total = told()
    assert lines[2:4] == ["– 3 Studying all slices: not needed here", "– 4 Learning in 3-D: not needed here"]

    log.emit("finished", 1, 1)
    lines, total = told()
    assert lines[-1] == "✓ 5 Checking" and total.told(running=False) == "Total: done"


def test_students_that_learn_beside_do_not_mean_that_earlier_steps_are_left_out(training):
    log, told = training
    log.emit("reading volumes", 1, 1)
    log.emit("slice network 1", 1, 2)
    log.emit("labels alone 1", 1, 9)
    lines, _total = told()

    assert lines[1:4] == ["▶ 2 Learning in 2-D", "○ 3 Studying all slices", "▶ 4 Learning in 3-D"]


def test_ticks_stand_where_steps_begin(training):
    from USLabelEfficientSegLib.slicer_side.steps.training_steps import training_steps

    steps = training_steps(PLAN, [], finished=False)

    assert [step.starts for step in steps] == pytest.approx([0, 0.05, 0.5, 0.7, 0.95])
    assert sum(step.share for step in steps) == pytest.approx(1)
