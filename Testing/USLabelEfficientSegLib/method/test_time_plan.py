"""The steps that fit into the time that the user gives, with speeds of a computer that tests imagine."""

import json
import shutil
from dataclasses import replace

import pytest
from trained_studies import CPU, assert_same_weights, label_another_slice, stages

from USLabelEfficientSegLib.calibration.shares import Shares
from USLabelEfficientSegLib.disk.study_layout import TIME_PLAN_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.method import candidates, time_plan
from USLabelEfficientSegLib.method.opening import open_run
from USLabelEfficientSegLib.method.plan import training_plan
from USLabelEfficientSegLib.method.run import Computing
from USLabelEfficientSegLib.method.speeds import Speeds
from USLabelEfficientSegLib.method.time_plan import FEWEST, MOST, TimePlan, factor_for, scaled
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.study.provenance import digest
from USLabelEfficientSegLib.study.settings import Settings, changed, preset
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata

SERVER = Speeds(reading=0.1, slice_step=0.2, slice_vote=1.0, teacher_step=0.15, student_step=0.033)
STEPS = {
    "teacher.steps": 200, "slice_head.steps": 300, "slice_network.steps": 300, "student.steps": 400,
    "student.rounds": 4, "student.label_steps": 12_000,
}  # fmt: skip


@pytest.fixture
def computer(monkeypatch):
    """Sets the speeds that are measured, and counts how often they are."""
    asked = []

    def with_speeds(speeds):
        def measured(run, teacher_is_trained):
            asked.append(teacher_is_trained)
            return speeds

        monkeypatch.setattr(time_plan, "measured_speeds", measured)
        return asked

    return with_speeds


@pytest.fixture
def short(settings):
    """Networks that learn in seconds; the slices left out give the students a part."""
    return changed(
        settings,
        {"slice_network.steps": 3, "slice_network.widths": [4, 8], "slice_network.starter": False, "student.rounds": 2},
    )


def opened_with(study, settings):
    with study.lock():
        return open_run(study, settings, Computing(CPU))


def plan_in(study):
    return TimePlan.model_validate_json((study.run_folder / TIME_PLAN_NAME).read_text())


def times(settings, factor):
    return scaled(settings, students=factor, slices=factor, teacher=factor)


@pytest.mark.parametrize("minutes", [2.0, 5.0, 20.0])
def test_training_lasts_as_long_as_it_may(study, settings, computer, minutes):
    computer(SERVER)
    opened_with(study, changed(settings, {**STEPS, "minutes": minutes}))
    plan = plan_in(study)

    assert FEWEST < plan.students < MOST
    assert plan.seconds == pytest.approx(60 * minutes, rel=0.01)
    assert plan.students <= plan.alone


def test_a_computer_of_twice_the_speed_does_more_steps_in_the_same_time(study, settings, computer):
    given = changed(settings, {**STEPS, "minutes": 4.0})
    computer(SERVER)
    slow = opened_with(study, given)
    (study.run_folder / TIME_PLAN_NAME).unlink()
    computer(Speeds(**{name: seconds / 2 for name, seconds in SERVER}))
    fast = opened_with(study, given)

    assert fast.settings.student.steps > 1.9 * slow.settings.student.steps
    assert fast.settings.slice_network.steps >= slow.settings.slice_network.steps


def test_every_step_is_in_the_estimate(study, settings, computer):
    """Of a run in which all else takes no time: three volumes, two of them with organs, along one axis."""
    computer(SERVER)
    run = opened_with(study, changed(settings, {**STEPS, "alignment": False}))
    work = time_plan.Work.of(run)
    speeds = Speeds(reading=0, slice_step=1, slice_vote=0, teacher_step=1_000, student_step=1e6)
    found = time_plan.expected_seconds(run, run.settings, replace(work, volumes=0), speeds)
    plan = training_plan(run.settings, work.slices)
    assert plan.supervised is not None
    students = 1.6 * 4 * plan.distilled.steps + plan.supervised.steps
    networks = work.axes * 300 // work.axes + work.folds * 120
    head = 0.03 * 300 * 1e6 / 0.033

    assert found == pytest.approx(10 + networks + 1_000 * 200 + 1e6 * students + head)
    assert (work.axes, work.continues) == (1, False)


def test_in_a_short_time_2d_networks_keep_their_steps_as_far_as_half_of_it_goes(study, settings, computer):
    computer(SERVER)
    run = opened_with(study, changed(settings, {**STEPS, "minutes": 2.0}))
    work, tried = time_plan.Work.of(run), run.settings
    plan = plan_in(study)

    assert plan.students < 0.5 * plan.slices < 0.5
    assert time_plan.expected_seconds_alone(tried, tried, work, SERVER) == pytest.approx(60, rel=0.02)
    shutil.rmtree(study.run_folder)
    opened_with(study, changed(settings, {**STEPS, "minutes": 5.0}))
    assert plan_in(study).students < plan_in(study).slices == 1


@pytest.mark.parametrize(("minutes", "factor"), [(0.2, FEWEST), (500.0, MOST)])
def test_steps_stay_between_a_tenth_and_ten_times_those_of_the_preset(study, computer, minutes, factor, settings):
    computer(SERVER)
    given = changed(settings, {**STEPS, "minutes": minutes})
    run = opened_with(study, given)
    plan = plan_in(study)

    assert (plan.teacher, plan.students, plan.slices, plan.alone) == pytest.approx((factor,) * 4)
    assert run.settings.teacher.steps == pytest.approx(factor * 200, abs=1)
    assert run.settings.student.label_steps == pytest.approx(factor * 12_000, abs=1)
    assert run.settings.student.steps_per_labelled_slice == pytest.approx(factor * 20)
    assert run.settings.student.label_steps_per_labelled_slice == pytest.approx(factor * 800)
    assert run.plan == run.learnt.plan(run.settings, time_plan.Work.of(run).slices)


@pytest.mark.parametrize("name", ["quick", "standard", "full"])
def test_no_network_has_fewer_steps_than_a_tenth_or_more_than_settings_allow(name):
    few, many = times(preset(name), FEWEST), times(preset(name), MOST)

    for settings in (few, many):
        assert Settings.model_validate(settings.model_dump()) == settings
    assert few.student.steps >= preset(name).student.steps / 10
    assert many.teacher.steps == 10 * preset(name).teacher.steps
    assert times(changed(preset(name), {"slice_network.steps": 0}), MOST).slice_network.steps == 0
    largest = changed(preset(name), {"teacher.steps": 9_000_000})
    assert times(largest, MOST).teacher.steps == 10_000_000


def test_the_largest_factor_that_fits_is_found():
    assert factor_for(lambda factor: 10 + 50 * factor, 110) == pytest.approx(2, rel=1e-6)
    assert factor_for(lambda factor: 200.0, 110) == pytest.approx(FEWEST)
    assert factor_for(lambda factor: 100.0, 110) == MOST


def test_without_a_time_nothing_is_measured_and_records_are_as_they_were(study, settings, computer):
    asked = computer(SERVER)
    run = opened_with(study, settings)

    assert asked == [] and not (study.run_folder / TIME_PLAN_NAME).exists()
    assert run.settings is settings and run.alone is None
    assert run.plan == training_plan(settings, time_plan.Work.of(run).slices)
    assert "minutes" not in json.loads((study.run_folder / "run.json").read_text())["settings"]
    assert digest(preset("quick").model_dump(mode="json")) == digest(json.loads(preset("quick").model_dump_json()))
    assert "minutes" not in preset("quick").model_dump(mode="json")


def test_a_time_survives_its_record():
    timed = changed(preset("quick"), {"minutes": 12})

    assert timed.model_dump(mode="json")["minutes"] == 12
    assert Settings.model_validate_json(timed.model_dump_json()) == timed


def test_a_training_that_is_stopped_has_the_same_steps_on_a_computer_that_became_slower(
    study, short, computer, monkeypatch
):
    monkeypatch.setattr(candidates, "measured_shares", lambda run, trainings: Shares(0.4, 4, (0.1, 0.2)))
    timed = changed(short, {"minutes": 500})
    computer(SERVER)
    asked = iter(range(10_000))
    with pytest.raises(Cancelled):
        train(study, timed, CPU, cancelled=lambda: next(asked) == 12)
    first = plan_in(study)
    again = computer(Speeds(**{name: 1_000 * seconds for name, seconds in SERVER}))
    measured = len(again)
    train(study, timed, CPU)

    assert plan_in(study) == first and len(again) == measured
    assert read_metadata(study.run_folder / "student_2_1.safetensors")["steps"] == 30


def test_its_weights_are_those_of_a_training_with_these_steps(study, short, computer, monkeypatch, tmp_path, untrained):
    monkeypatch.setattr(candidates, "measured_shares", lambda run, trainings: Shares(0.4, 4, (0.1, 0.2)))
    shutil.copytree(untrained, tmp_path / "other")
    other = Study.open(tmp_path / "other")
    computer(SERVER)
    timed = train(study, changed(short, {"minutes": 500}), CPU)
    told = train(other, times(short, MOST), CPU)

    assert timed is not None and told is not None
    assert_same_weights(study, other)
    assert timed.provenance["settings"] == told.provenance["settings"]


def test_2d_networks_that_are_the_whole_model_have_the_time_of_the_students(study, short, computer, monkeypatch):
    monkeypatch.setattr(candidates, "measured_shares", lambda run, trainings: Shares(0.97, 4, (0.1, 0.2)))
    slow_students = SERVER.model_copy(update={"slice_step": 1.0, "student_step": 3.0})
    computer(slow_students)
    train(study, changed(short, {"minutes": 1, "alignment": False}), CPU)
    plan = plan_in(study)
    steps = read_metadata(study.run_folder / "slices_2.safetensors")["steps"]

    assert plan.students < plan.alone
    assert steps == times(short, plan.alone).slice_network.steps > times(short, plan.slices).slice_network.steps


def test_new_labels_have_a_plan_of_their_own_but_the_teacher_keeps_its_steps(study, short, computer, monkeypatch):
    monkeypatch.setattr(candidates, "measured_shares", lambda run, trainings: Shares(0.4, 4, (0.1, 0.2)))
    timed = changed(short, {"minutes": 500})
    computer(SERVER)
    train(study, timed, CPU)
    label_another_slice(study)
    slower = computer(Speeds(**{name: 10_000 * seconds for name, seconds in SERVER}))
    since = len((study.run_folder / "events.jsonl").read_text().splitlines())
    train(Study.open(study.folder), timed, CPU)
    plan = plan_in(study)

    assert plan.students < plan.teacher == MOST
    assert slower[-1] is True  # it takes no time any more
    assert stages(study, since)["teacher"] is False


def test_a_damaged_plan_is_refused(study, settings, computer):
    computer(SERVER)
    timed = changed(settings, {"minutes": 3})
    opened_with(study, timed)
    (study.run_folder / TIME_PLAN_NAME).write_text('{"students": 7}')

    with pytest.raises(InputError, match=r"time_plan\.json: is damaged; use --restart to train anew"):
        opened_with(study, timed)


def test_without_a_label_there_is_no_telling(study, settings):
    for case in study.cases:
        if case.labels is not None:
            study.remove_labels(case.name)

    with pytest.raises(InputError, match="minutes: needs a labelled slice"):
        train(study, changed(settings, {"minutes": 3}), CPU, until="teacher")
    assert not study.run_folder.exists()
