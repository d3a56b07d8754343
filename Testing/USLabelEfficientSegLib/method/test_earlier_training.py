"""Training that continues from the model of a study: with new labels, with more volumes, again and again."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from trained_studies import CPU, assert_same_weights, label_another_slice, stages, weights

from USLabelEfficientSegLib.disk.files import sha256_of
from USLabelEfficientSegLib.disk.study_layout import EARLIER_MODEL_NAME, EARLIER_TEACHER_NAME, MODEL_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.inference import predict
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.student import training as student_training
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def settings(tiny_changes):
    return changed(Settings(), tiny_changes)


@pytest.fixture
def trained(tmp_path, trained_study):
    """A trained study with a label that its model has not seen."""
    shutil.copytree(trained_study, tmp_path / "study")
    study = Study.open(tmp_path / "study")
    label_another_slice(study)
    return study


@pytest.fixture(scope="module")
def continued_once(tmp_path_factory, trained_study, settings):
    """The trained study, continued with another label, without interruption."""
    folder = tmp_path_factory.mktemp("continued") / "study"
    shutil.copytree(trained_study, folder)
    study = Study.open(folder)
    label_another_slice(study)
    train(study, settings, CPU)
    return study


def record(study):
    return json.loads((study.run_folder / "run.json").read_text())


def add_volumes(study, folder, seeds=(70, 71)):
    folder.mkdir()
    for seed in seeds:
        write_volume(
            folder / f"new {seed}.nrrd", simulate_volume(seed, shape=(24, 24, 16), spacing=(3.3, 3.3, 4)).volume
        )
    with study.lock():
        study.add_images(folder)
    return Study.open(study.folder)


def test_students_start_with_the_weights_of_the_model_and_with_its_predictions(trained, settings, monkeypatch):
    model = SegmentationModel.load(trained.run_folder / MODEL_NAME)
    expected = {case.name: predict(model, trained.read_scan(case.name), CPU) for case in trained.cases}
    started = []

    def at_step_0(context, **arguments):
        started.append({name: module.state_dict() for name, module in arguments["state"].modules.items()})
        raise Cancelled("stopped at step 0")

    monkeypatch.setattr(student_training, "run_training", at_step_0)
    with pytest.raises(Cancelled):
        train(trained, settings, CPU)

    (modules,) = started
    assert set(modules) == {"network", "average"}
    for weights_of in modules.values():
        for name, tensor in model.networks[0].state_dict().items():
            assert torch.equal(weights_of[name], tensor), name
    taught = trained.run_folder / "pseudo_labels" / "round_continued"
    assert {path.stem for path in taught.glob("*.safetensors")} == set(expected)
    again = SegmentationModel.load(trained.run_folder / EARLIER_MODEL_NAME)
    for name, prediction in expected.items():
        assert predict(again, trained.read_scan(name), CPU).volumes_ml() == prediction.volumes_ml()


def test_a_continued_training_leaves_out_what_comes_before_the_students_and_takes_half_the_steps(continued_once):
    events = read_events(continued_once.events.path)
    start = max(number for number, event in enumerate(events) if event.stage == "continuing")

    assert list(stages(continued_once, start)) == [
        "continuing",
        "reading volumes",
        "alignment",
        "teacher",
        "pseudo-labels continued",
        "student continued.1",
        "labels alone 1",
        "calibration",
        "finished",
    ]
    assert stages(continued_once, start)["teacher"] is False
    assert {event.of for event in events if event.stage == "student continued.1"} == {2}  # of 3: half, rounded


def test_supervised_students_join_a_model_once_there_are_labels_enough(trained, settings):
    study = trained  # with one more labelled slice than it knows
    slices = 1 + sum(len(case.labels.slices) for case in study.cases if case.labels is not None)
    settings = changed(settings, {"student.label_steps_from": slices + 1, "student.label_steps": 16})
    few = train(study, settings, CPU, restart=True)
    label_another_slice(study)

    more = train(study, settings, CPU)
    label_another_slice(study)
    most = train(study, settings, CPU)

    assert few is not None and more is not None and most is not None
    assert [len(model.networks) for model in (few, more, most)] == [1, 2, 2]
    steps = [event.of for event in read_events(study.events.path) if event.stage == "labels alone 1"]
    assert sorted(set(steps)) == [2, 16]  # the whole training first, an eighth when it learns on


def test_the_model_tells_which_one_it_continues_from(continued_once, trained_study):
    earlier = trained_study / "run" / MODEL_NAME
    kept = continued_once.run_folder / EARLIER_MODEL_NAME

    assert kept.read_bytes() == earlier.read_bytes()
    provenance = SegmentationModel.load(continued_once.run_folder / MODEL_NAME).provenance
    for told in (provenance["continued_from"], record(continued_once)["continued_from"]):
        assert told["sha256"] == sha256_of(earlier)
        assert told["labels"] == SegmentationModel.load(earlier).provenance["labels"] != provenance["labels"]


def after_questions(patience: int) -> Callable[[], bool]:
    asked = iter(range(2000))
    return lambda: next(asked) >= patience


def test_stopped_again_and_again_it_ends_with_the_same_weights(trained, settings, continued_once):
    stopped = 0
    for patience in range(1, 60):
        try:
            train(trained, settings, CPU, cancelled=after_questions(patience))
            break
        except Cancelled:
            stopped += 1

    assert 5 < stopped < 59
    assert_same_weights(trained, continued_once)


@pytest.mark.parametrize("moment", ["model moved", "stages removed", "run recorded"])
def test_killed_while_it_is_prepared_it_continues_all_the_same(trained, settings, continued_once, moment, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*_arguments, **_named):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        if moment == "model moved":
            move = os.replace
            patch.setattr(os, "replace", lambda a, b: (move(a, b), str(b).endswith(EARLIER_MODEL_NAME) and die()))
        else:
            target = "start_run" if moment == "stages removed" else "prepare_volume"
            patch.setattr(f"USLabelEfficientSegLib.method.opening.{target}", die)
        train(trained, settings, CPU)
    assert not (trained.run_folder / MODEL_NAME).exists()

    train(Study.open(trained.folder), settings, CPU)

    assert_same_weights(trained, continued_once)


def test_a_finished_continuation_is_not_repeated(continued_once, settings):
    before, events = weights(continued_once), len(read_events(continued_once.events.path))

    train(continued_once, settings, CPU)

    assert stages(continued_once, events)["student continued.1"] is False
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(continued_once).items())


def test_round_after_round_continues_from_the_last_model(trained, settings):
    checksums = []
    for _ in range(3):
        train(trained, settings, CPU)
        checksums.append(sha256_of(trained.run_folder / MODEL_NAME))
        label_another_slice(trained)

    assert len(set(checksums)) == 3
    provenance = SegmentationModel.load(trained.run_folder / MODEL_NAME).provenance
    assert provenance["continued_from"]["sha256"] == checksums[1]
    assert provenance["continued_from"]["continued_from"]["sha256"] == checksums[0]
    labels = [p["labels"] for p in (provenance, provenance["continued_from"])]
    assert labels[0] != labels[1]


def test_a_label_that_comes_while_it_is_continued_counts_from_the_same_model(trained, settings):
    asked = iter(range(1000))
    with pytest.raises(Cancelled):
        train(trained, settings, CPU, cancelled=lambda: next(asked) >= 8)
    first = record(trained)["continued_from"]["sha256"]
    label_another_slice(trained)

    train(trained, settings, CPU)

    assert record(trained)["continued_from"]["sha256"] == first
    assert (trained.run_folder / MODEL_NAME).exists()


def test_a_training_without_a_model_yet_starts_anew_with_new_labels(trained, settings):
    (trained.run_folder / MODEL_NAME).unlink()

    train(trained, settings, CPU)

    assert "continued_from" not in record(trained)
    assert "slice head" in stages(trained)


def test_more_volumes_are_studied_from_the_weights_of_the_teacher(tmp_path, trained, settings):
    teacher = (trained.run_folder / "teacher.safetensors").read_bytes()
    study = add_volumes(trained, tmp_path / "more")
    events = len(read_events(study.events.path))

    model = train(study, settings, CPU)

    assert (study.run_folder / EARLIER_TEACHER_NAME).read_bytes() == teacher
    assert (study.run_folder / "teacher.safetensors").read_bytes() != teacher
    assert stages(study, events)["teacher"] and stages(study, events)["student continued.1"]
    assert model is not None and len(model.provenance["images"]) == 5
    assert len(model.provenance["continued_from"]["images"]) == 3
    again = weights(study)
    train(Study.open(study.folder), settings, CPU)
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights(study).items())


def test_the_teacher_starts_with_the_weights_it_had(tmp_path, trained, settings, monkeypatch):
    before = load_checkpoint(trained.run_folder / "teacher.safetensors")[0]
    study = add_volumes(trained, tmp_path / "more")
    started = []

    def at_step_0(context, **arguments):
        started.append((arguments["steps"], arguments["state"].modules["model"].state_dict()))
        raise Cancelled("stopped at step 0")

    monkeypatch.setattr("USLabelEfficientSegLib.teacher.pretraining.run_training", at_step_0)
    with pytest.raises(Cancelled):
        train(study, settings, CPU, until="teacher")

    ((steps, now),) = started
    assert steps == 2 and len(now) > 10
    assert all(torch.equal(now[name.removeprefix("modules/model/")], tensor) for name, tensor in before.items())


def test_another_model_file_is_refused_but_can_be_forgotten(trained, settings):
    asked = iter(range(1000))
    with pytest.raises(Cancelled):
        train(trained, settings, CPU, cancelled=lambda: next(asked) >= 8)
    kept = trained.run_folder / EARLIER_MODEL_NAME
    model = SegmentationModel.load(kept)
    replace(model, provenance={**model.provenance, "seed": 5}).save(kept)

    with pytest.raises(InputError, match=r"is not the model that the training continues from.*--from-teacher"):
        train(trained, settings, CPU)
    train(trained, settings, CPU, from_teacher=True)
    assert not kept.exists() and "continued_from" not in record(trained)


def test_a_slice_head_is_no_part_of_it(trained, settings):
    with pytest.raises(InputError, match="stage slice-head: is no part of a training that continues"):
        train(trained, settings, CPU, until="slice-head")


def test_the_pair_of_networks_is_not_trained_again(tmp_path, simulated, tiny_changes):
    tiny = {"divergence.image_size": 32, "divergence.slice_steps": 2, "divergence.unlabelled_images": 4}
    settings = changed(Settings(), {**tiny_changes, **tiny, "method": "information-divergence"})
    study = Study.create(tmp_path / "study", simulated / "images", simulated / "labels", label_fraction=0.2)
    train(study, settings, CPU)
    label_another_slice(study)
    events = len(read_events(study.events.path))

    train(study, settings, CPU)

    assert "divergence" not in stages(study, events) and stages(study, events)["student continued.1"]
