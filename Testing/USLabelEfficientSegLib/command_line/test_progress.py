"""What is shown while a command works."""

import pytest

from USLabelEfficientSegLib.command_line.progress import LogLines, ProgressBars, duration
from USLabelEfficientSegLib.study.events import Event


def test_log_lines_stay_few(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("USLabelEfficientSegLib.command_line.progress.time.monotonic", lambda: now)
    lines = LogLines()

    for step in range(1, 51):
        now += 0.5
        lines(Event("teacher", step, 50, (50 - step) / 2, {"distillation": 1 / step}))

    assert capsys.readouterr().out.splitlines() == [
        "teacher: 21 of 50, 14 s left, distillation 0.04762",
        "teacher: 41 of 50, 4 s left, distillation 0.02439",
        "teacher: 50 of 50, distillation 0.02",
    ]


def test_progress_bars_show_stages_and_losses(capsys):
    with ProgressBars() as bars:
        bars(Event("teacher", 3, 3, 0.0, {"distillation": 1.5}))
        bars(Event("student 1.1", 1, 4, 100.0, {"labels": 0.25}))

    shown = capsys.readouterr().out
    assert "teacher" in shown and "3/3" in shown and "2 min left, labels 0.25" in shown


@pytest.mark.parametrize(("seconds", "text"), [(44.6, "45 s"), (720, "12 min"), (11_100, "3 h 05 min")])
def test_times_are_for_people(seconds, text):
    assert duration(seconds) == text
