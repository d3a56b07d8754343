"""The steps that fit into the time that the user gives for images, with speeds of a computer that tests imagine."""

import json

import pytest
import torch
from simulated_heads import TINY_TRAINING, write_heads

from USLabelEfficientSegLib.disk.study_layout import EARLIER_MODEL_NAME, PAIR_NAME, TIME_PLAN_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
from USLabelEfficientSegLib.method import images
from USLabelEfficientSegLib.method.image_time import in_time, trained_image_settings
from USLabelEfficientSegLib.method.images import train_images
from USLabelEfficientSegLib.method.time_plan import FEWEST, MOST
from USLabelEfficientSegLib.report.cases_of_study import with_training
from USLabelEfficientSegLib.report.content import ReportContent
from USLabelEfficientSegLib.report.kinds import KINDS
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.provenance import read_settings
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata

CPU = torch.device("cpu")
TINY = changed(Settings(), TINY_TRAINING)


@pytest.fixture
def study(tmp_path):
    write_heads(tmp_path / "heads", 5)
    folder = tmp_path / "heads"
    sizes, images = read_pixel_sizes(folder / "sizes.csv"), folder / "images"
    return Study.create(
        tmp_path / "study", images, folder / "masks", organs=["head"], label_fraction=0.4, pixel_sizes=sizes
    )


@pytest.fixture
def computer(monkeypatch):
    """Sets the seconds of a step, and counts how often they are measured."""
    asked = []

    def with_step(seconds):
        def measured(train, context):
            asked.append(seconds)
            return seconds

        monkeypatch.setattr(images, "seconds_a_step", measured)
        return asked

    return with_step


def plan_in(study):
    return json.loads((study.run_folder / TIME_PLAN_NAME).read_text())


def fitted(study, minutes, step, monkeypatch):
    """The settings that fit, where nothing but steps takes time."""
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    given = changed(TINY, {"minutes": minutes, "divergence.steps": 600})
    (study.run_folder / TIME_PLAN_NAME).unlink(missing_ok=True)
    study.run_folder.mkdir(exist_ok=True)
    return in_time(study, given, 600, lambda: step, lambda: None, since=100.0)


def test_steps_fill_the_time(study, monkeypatch):
    assert fitted(study, 2.0, 0.1, monkeypatch).divergence.steps == 1_200
    assert fitted(study, 2.0, 0.2, monkeypatch).divergence.steps == 600
    assert plan_in(study)["seconds"] == pytest.approx(120)
    assert fitted(study, 2.0, 0.2, monkeypatch).minutes is None


@pytest.mark.parametrize(("step", "factor"), [(1e-6, MOST), (1e6, FEWEST)])
def test_steps_stay_between_a_tenth_and_ten_times_those_of_the_preset(study, step, factor, monkeypatch):
    assert fitted(study, 2.0, step, monkeypatch).divergence.steps == pytest.approx(600 * factor)


def test_measuring_all_images_in_the_end_is_part_of_the_time(study, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    study.run_folder.mkdir()
    given = changed(TINY, {"minutes": 2.0, "divergence.steps": 600})
    planned = in_time(study, given, 600, lambda: 0.1, lambda: now.append(now.pop() + 10), since=100.0)

    # Five images of 10 s each, and the 10 s that have passed: 60 of 120 s are left for steps.
    assert planned.divergence.steps == 600


def test_a_training_that_is_stopped_has_the_same_steps_on_a_computer_that_became_slower(study, computer):
    given = changed(TINY, {"minutes": 1.0})
    asked = computer(1e-6)
    with pytest.raises(Cancelled):
        train_images(study, given, CPU, cancelled=lambda: (study.run_folder / TIME_PLAN_NAME).exists())
    first = plan_in(study)
    computer(1e6)
    model = train_images(study, given, CPU)

    assert plan_in(study) == first and asked == [1e-6]
    assert read_metadata(study.run_folder / PAIR_NAME)["steps"] == 40
    assert model.provenance["settings"]["divergence"]["steps"] == 40
    told = [event.message for event in read_events(study.events.path) if event.message]
    assert any(text.startswith("10 times the usual steps, about") for text in told)


def test_networks_that_learn_on_have_the_time_for_themselves(study, computer):
    given = changed(TINY, {"minutes": 1.0})
    computer(1e6)
    train_images(study, given, CPU)
    assert read_metadata(study.run_folder / PAIR_NAME)["steps"] == 1
    name = next(case.name for case in study.cases if case.labels is not None)
    labels = study.read_labels(name)
    labels.voxels[:5] = 1
    study.set_labels(name, labels)
    computer(1e-6)
    train_images(study, given, CPU)

    assert (study.run_folder / EARLIER_MODEL_NAME).exists()
    assert read_metadata(study.run_folder / PAIR_NAME)["steps"] == 13  # a third of 40


def test_the_report_tells_the_steps_that_were_done_and_the_time_that_was_given(study, computer):
    computer(1e-6)
    train_images(study, changed(TINY, {"minutes": 1.0}), CPU)
    stored = read_settings(study)
    assert stored is not None and stored.minutes == 1.0
    assert trained_image_settings(study, stored).divergence.steps == 40
    report = with_training(ReportContent(KINDS[2].of_study, KINDS[2], study.organs, [], []), study)

    assert report.settings["divergence.steps"] == "40"
    assert report.provenance["training time given"] == "1 min"


def test_this_computer_is_measured_in_earnest(study):
    model = train_images(study, changed(TINY, {"minutes": 0.2}), CPU)
    plan = plan_in(study)

    assert FEWEST <= plan["factor"] <= MOST and plan["seconds"] > 0
    assert model.provenance["settings"]["divergence"]["steps"] == read_metadata(study.run_folder / PAIR_NAME)["steps"]


def test_a_damaged_plan_is_refused(study, computer):
    computer(1e-6)
    given = changed(TINY, {"minutes": 1.0})
    with pytest.raises(Cancelled):
        train_images(study, given, CPU, cancelled=lambda: (study.run_folder / TIME_PLAN_NAME).exists())
    (study.run_folder / TIME_PLAN_NAME).write_text("{")

    with pytest.raises(InputError, match=r"time_plan\.json: is damaged; use --restart to train anew"):
        train_images(study, given, CPU)
