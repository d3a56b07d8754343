"""What is shown while a command works."""

import io
import json
from dataclasses import replace

import pytest

from USLabelEfficientSegLib.command_line import progress
from USLabelEfficientSegLib.command_line.console import Console, console
from USLabelEfficientSegLib.command_line.interruption import Interruption
from USLabelEfficientSegLib.command_line.progress import (
    LogLines,
    shown_counts,
    shown_progress,
)
from USLabelEfficientSegLib.command_line.progress_bars import ProgressBars
from USLabelEfficientSegLib.study.events import Event
from USLabelEfficientSegLib.study.stages import NumberedStage, Stage
from USLabelEfficientSegLib.text.counting import counted, heard


def test_log_lines_stay_few(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("USLabelEfficientSegLib.command_line.progress.time.monotonic", lambda: now)
    lines = LogLines()

    for step in range(1, 51):
        now += 0.5
        lines(Event("teacher", step, 50, (50 - step) / 2, {"distillation": 1 / step}))

    assert capsys.readouterr().out.splitlines() == [
        "Studying all slices, without labels: 21 of 50, 14 s left, distillation 0.04762",
        "Studying all slices, without labels: 41 of 50, 4 s left, distillation 0.02439",
        "Studying all slices, without labels: 50 of 50, distillation 0.02",
    ]


FIRST_STUDENT = NumberedStage(Stage.STUDENT, round=1, member=1)
STAGES = (
    (NumberedStage(Stage.TEACHER), 30.0), (FIRST_STUDENT, 100.0), (NumberedStage(Stage.CALIBRATION), 10.0),
)  # fmt: skip


@pytest.fixture
def frames(monkeypatch):
    """The lines that stay on a terminal of 80 columns after events, whose times are those of a clock that is given."""
    monkeypatch.setenv("COLUMNS", "80")

    def show(events, *, verbose=False, seconds=()):
        clock = iter(seconds)
        now = [0.0]
        monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
        monkeypatch.setattr(console, "verbose", verbose)
        out = io.StringIO()
        monkeypatch.setattr(Console, "stream", property(lambda self: out))
        with ProgressBars(STAGES) as bars:
            for event in events:
                now[0] = next(clock, now[0])
                bars(replace(event, time=now[0]))
        return out.getvalue().splitlines()

    return show


def test_at_80_columns_every_line_has_stage_bar_percentage_and_time_left(frames):
    lines = frames([Event("teacher", 3, 3, 0.0), Event("labels alone 1 and a very long name", 1, 4, 100.0)])

    assert lines[0].startswith("Studying all slices, without labels ") and lines[0].rstrip().endswith("100 %")
    assert lines[1].startswith("Labels alone 1 and a very long name") and lines[1].rstrip().endswith("25 % 2 min left")
    assert all("━" in line and len(line) <= 80 for line in lines)


def test_losses_are_for_those_who_want_details(frames):
    events = [Event("student 1.1", 1, 4, 100.0, {"labels": 0.25})]

    assert "labels 0.25" not in "".join(frames(events))
    assert "labels 0.25" in "".join(frames(events, verbose=True))


def test_the_last_line_is_that_of_all_stages_with_the_time_left_at_the_speed_until_now(frames):
    events = [Event("teacher", 0, 3), Event("teacher", 3, 3), Event("student 1.1", 1, 2)]

    *_, total = frames(events, seconds=[0.0, 30.0, 80.0])

    assert total.startswith("Total") and " 57 % 60 s left" in total  # 80 of 140 parts in 80 s


def test_when_nobody_reads_the_output_the_work_is_asked_to_stop(monkeypatch):
    def broken(*_, **__):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(console, "say", broken)
    with Interruption() as interruption, shown_progress(interruption) as listener:
        listener(Event("teacher", 3, 3))

    assert interruption() and interruption.output_gone


def test_work_on_many_files_is_told_where_it_takes_long_and_only_there(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def work(seconds):
        with shown_counts():
            for _ in counted(range(3), "measuring"):
                now[0] += seconds

    work(1.0)
    assert capsys.readouterr().out == ""
    work(11.0)
    assert capsys.readouterr().out.splitlines() == [
        "Measuring: 1 of 3, 22 s left",
        "Measuring: 2 of 3, 11 s left",
        "Measuring: 3 of 3",
    ]


def test_on_a_terminal_its_bar_is_there_from_the_start_and_gone_at_the_end(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    monkeypatch.setattr(Console, "stream", property(lambda self: out))
    monkeypatch.setenv("TERM", "xterm")
    with shown_counts():
        for _ in counted(range(2), "measuring"):
            assert "Measuring" in out.getvalue() and "0 %" in out.getvalue()
    assert out.getvalue().endswith("\x1b[1A\x1b[2K")  # up a line, and that line is cleared


def test_what_is_counted_within_is_a_part_of_the_whole(capsys):
    told = []
    with heard(lambda *what: told.append(what)):
        for _ in counted("ab", "cases"):
            with shown_progress():
                list(counted("xyz", "reading"))

    assert told == [("cases", 0, 2), ("cases", 1, 2), ("cases", 2, 2)]


def test_after_a_command_that_fails_half_way_nothing_is_told_any_more(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with pytest.raises(OSError, match="full"), shown_counts():
        for _ in counted(range(2), "measuring"):
            raise OSError("full")
    assert capsys.readouterr().out == "Measuring: 0 of 2\n"

    list(counted(range(2), "measuring"))

    assert capsys.readouterr().out == ""


def test_programs_are_told_how_far_a_command_is_line_by_line(call, monkeypatch, simulated, tmp_path):
    monkeypatch.setenv("USLABELSEG_PROGRESS", "json")

    code, _, errors = call("study", "create", tmp_path / "study", "--images", simulated / "images", "--organs", "a")

    told = [json.loads(line)["progress"] for line in errors.splitlines() if line.startswith("{")]
    assert code == 0
    assert [one["done"] for one in told if one["doing"] == "copying"] == [0, 1, 2, 3]
    assert {one["of"] for one in told} == {3}
