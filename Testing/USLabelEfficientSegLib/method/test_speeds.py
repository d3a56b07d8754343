"""How long a step takes, by the clock of a test."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from trained_studies import CPU

from USLabelEfficientSegLib.errors import Cancelled
from USLabelEfficientSegLib.method import speeds
from USLabelEfficientSegLib.method.opening import open_run
from USLabelEfficientSegLib.method.run import Computing
from USLabelEfficientSegLib.method.speeds import MOST_SECONDS, TRIED_STEPS, measured_speeds, seconds_a_step
from USLabelEfficientSegLib.study.events import Event
from USLabelEfficientSegLib.study.settings import changed


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless a test moves it."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(speeds, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


@pytest.fixture
def run(study, settings):
    with study.lock():
        return open_run(
            study,
            changed(
                settings, {"slice_network.steps": 3, "slice_network.widths": [4, 8], "slice_network.starter": False}
            ),
            Computing(CPU),
        )


def training(clock, seconds):
    """A training whose steps last so many seconds, the first ten times as long; it is stopped when it asks."""
    steps = []

    def train(context):
        assert context.cancelled is not None
        for number, duration in enumerate(seconds):
            clock.now += duration
            steps.append(number)
            if context.cancelled():
                raise Cancelled("stopped")

    return train, steps


def test_the_first_step_warms_up_and_does_not_count(clock, run):
    train, steps = training(clock, [9.0, *[0.25] * 1_000])

    assert seconds_a_step(train, run.context("teacher", "teacher")) == pytest.approx(0.25)
    assert len(steps) == TRIED_STEPS


def test_slow_steps_are_tried_less_often(clock, run):
    train, steps = training(clock, [60.0] * 1_000)

    assert seconds_a_step(train, run.context("teacher", "teacher")) == pytest.approx(60.0) and MOST_SECONDS < 60.0
    assert len(steps) == 2


def test_nothing_of_it_is_kept(run):
    before = sorted(path.name for path in run.folder.iterdir())
    heard: list[Event] = []
    run.study.events.listen(heard.append)
    found = measured_speeds(replace(run), teacher_is_trained=False)

    assert sorted(path.name for path in run.folder.iterdir()) == before
    assert heard == []
    assert min(found.reading, found.slice_step, found.slice_vote, found.teacher_step, found.student_step) > 0


def test_what_is_not_trained_takes_no_time(run):
    without = replace(run, settings=changed(run.settings, {"slice_network.steps": 0}))
    found = measured_speeds(without, teacher_is_trained=True)

    assert (found.slice_step, found.slice_vote, found.teacher_step) == (0, 0, 0)


def test_the_pair_of_information_divergence_is_tried_in_place_of_the_vit(run):
    pair = replace(
        run, settings=changed(run.settings, {"method": "information-divergence", "divergence.image_size": 32})
    )

    assert measured_speeds(pair, teacher_is_trained=False).teacher_step > 0
