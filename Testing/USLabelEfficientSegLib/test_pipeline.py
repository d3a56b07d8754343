import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_cases import record_of
from offered_trainings import Idle
from trained_studies import CPU, assert_same_weights, label_another_slice, stages, weights

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.imaging.normalisation import AnatomicalFrame
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.method.aligning import aligned
from USLabelEfficientSegLib.method.opening import open_run
from USLabelEfficientSegLib.method.run import Computing
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.inference import predict
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.model_provenance import knows_labels_of
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.settings import changed
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training import side_by_side

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kill_and_resume.py"


def cancelled_after(patience):
    """A training that asks it so many times is cancelled then."""
    asked = iter(range(1000))
    return lambda: next(asked) >= patience


def test_from_a_few_labelled_slices_to_the_volumes_of_an_unseen_subject(trained_study):
    study = Study.open(trained_study)
    model = SegmentationModel.load(study.run_folder / MODEL_NAME)
    unseen = simulate_volume(50, shape=(30, 26, 20), spacing=(2.7, 3.0, 3.1)).volume

    prediction = predict(model, unseen, CPU)

    assert 0 < study.label_fraction() < 0.35
    assert model.organs == study.organs == ("solid", "fluid")
    assert prediction.labels().geometry is unseen.geometry
    total = np.prod(unseen.geometry.shape) * unseen.geometry.voxel_volume_ml
    assert all(0 < volume < total for volume in prediction.volumes_ml())


def test_stages_follow_one_another_and_the_end_is_told(trained_study):
    order = list(stages(Study.open(trained_study)))

    assert order == [
        "reading volumes",
        "alignment",
        "teacher",
        "slice head",
        "pseudo-labels",
        "student 1.1",
        "labels alone 1",
        "calibration",
        "finished",
    ]


def test_a_model_tells_what_it_was_made_from(trained_study):
    study = Study.open(trained_study)
    provenance = SegmentationModel.load(study.run_folder / MODEL_NAME).provenance

    labelled = [case for case in study.cases if case.labels is not None]
    assert provenance["images"] == sorted(case.image.sha256 for case in study.cases)
    assert provenance["labels"] == sorted(record_of(case).sha256 for case in labelled)
    assert [case for case in study.cases if knows_labels_of(provenance, case.name)] == labelled
    assert not any(case.name in str(provenance) for case in study.cases)
    assert provenance["settings"]["student"]["steps"] == 3


def test_positions_are_told_in_the_aligned_frame_of_each_volume(study, settings):
    train(study, settings, CPU, until="pseudo-labels")
    with study.lock():
        run = open_run(study, settings, Computing(CPU))
        first = aligned(run)
        again = aligned(run)

    assert first.template is not None
    assert [volume.frame for volume in first.volumes] == [volume.frame for volume in again.volumes]
    assert len({volume.frame for volume in first.volumes}) == len(first.volumes)
    assert not torch.equal(first.volumes[0].position, run.volumes[0].position)
    one_way = first.template.frame_of(run.volumes[0].grey)
    assert np.subtract(one_way.shift, first.volumes[0].frame.shift) == pytest.approx([0, 0, 0], abs=0.15)


def test_without_alignment_positions_are_those_in_the_volume(study, settings):
    with study.lock():
        run = aligned(open_run(study, changed(settings, {"alignment": False}), Computing(CPU)))
    assert run.template is None
    assert {volume.frame for volume in run.volumes} == {AnatomicalFrame()}


def test_distilled_and_supervised_students_vote(study, settings):
    both = train(study, settings, CPU)
    events = read_events(study.run_folder / "events.jsonl")
    distilled = train(study, changed(settings, {"student.label_steps": 0}), CPU, restart=True)

    assert both is not None and distilled is not None
    assert (len(both.networks), len(distilled.networks)) == (2, 1)
    for one, other in zip(both.networks[0].parameters(), distilled.networks[0].parameters(), strict=True):
        assert torch.equal(one, other)
    # Supervised students are told nothing else.
    assert {name for event in events if event.stage == "labels alone 1" for name in event.losses} == {"labels"}


def test_training_stage_by_stage_ends_with_the_same_weights_as_training_at_once(study, settings, trained_study):
    left = {}
    for until in ("teacher", "slice-head", "pseudo-labels"):
        assert train(study, settings, CPU, until=until) is None
        left[until] = {path.name for path in study.run_folder.rglob("*.safetensors")}
    model = train(study, settings, CPU)

    assert left["teacher"] == {"teacher.safetensors"}
    assert left["slice-head"] == left["teacher"] | {"alignment.safetensors", "slice_head.safetensors"}
    assert left["pseudo-labels"] > left["slice-head"] and not any("student" in name for name in left["pseudo-labels"])
    assert model is not None
    assert_same_weights(study, Study.open(trained_study))


def test_a_training_that_is_cancelled_again_and_again_ends_with_the_same_weights(study, settings, trained_study):
    stopped_in = []
    beyond_alignment = len(study.cases) + 42  # it is short, and starts anew
    for patience in (6, beyond_alignment, *range(8, 100, 3)):
        try:
            train(study, settings, CPU, cancelled=cancelled_after(patience))
            break
        except Cancelled as stop:
            stopped_in.append(str(stop).split()[0])

    assert "alignment" in stopped_in and len(set(stopped_in)) >= 3 and len(stopped_in) < 20, stopped_in
    assert_same_weights(study, Study.open(trained_study))


def test_a_finished_training_is_not_repeated(trained, settings):
    before = weights(trained)
    events = len(read_events(trained.events.path))

    train(trained, settings, CPU)

    assert stages(trained, events)["student 1.1"] is False and stages(trained, events)["teacher"] is False
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(trained).items())


def test_from_the_teacher_a_new_label_trains_everything_after_it_anew(trained, settings):
    before, events = weights(trained), len(read_events(trained.events.path))
    teacher = (trained.run_folder / "teacher.safetensors").read_bytes()
    label_another_slice(trained)

    train(trained, settings, CPU, from_teacher=True)

    repeated = stages(trained, events)
    assert repeated["teacher"] is False
    assert all(repeated[stage] for stage in ("slice head", "pseudo-labels", "student 1.1"))
    assert (trained.run_folder / "teacher.safetensors").read_bytes() == teacher
    after = weights(trained)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in after.items())
    messages = [event.message for event in read_events(trained.events.path)[events:] if event.message]
    assert any("labels have changed" in message for message in messages)


def test_from_the_teacher_the_result_is_that_of_a_study_which_always_had_the_label(trained, study, settings):
    for either in (trained, study):
        label_another_slice(either)
        train(either, settings, CPU, from_teacher=True)

    assert_same_weights(trained, study)


def test_a_run_with_other_settings_is_refused_and_keeps_what_it_has(trained, settings):
    before = weights(trained)
    other = changed(settings, {"student.steps": 4})

    with pytest.raises(InputError, match=r"student.steps is 3, now 4.*--restart"):
        train(trained, other, CPU)
    label_another_slice(trained)
    with pytest.raises(InputError, match=r"student\.steps is 3, now 4"):
        train(trained, other, CPU)

    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(trained).items())


def test_a_restart_forgets_and_another_seed_gives_another_model(trained, settings):
    before = weights(trained)

    train(trained, changed(settings, {"seed": 1}), CPU, restart=True)

    assert any(not torch.equal(tensor, before[name]) for name, tensor in weights(trained).items())
    starts = json.loads((trained.run_folder / "run.json").read_text())["starts"]
    assert len(starts) == 1


def test_without_any_label_the_teacher_alone_can_be_trained(tmp_path, simulated, settings):
    study = Study.create(tmp_path / "study", simulated / "images")

    assert train(study, settings, CPU, until="teacher") is None
    assert (study.run_folder / "teacher.safetensors").exists()
    with pytest.raises(InputError, match="no labelled slice"):
        train(study, settings, CPU)


def test_a_changed_image_is_refused_before_anything_is_trained(study, settings):
    path = study.folder / study.cases[0].image.file
    path.write_bytes(path.read_bytes() + b"\0")

    with pytest.raises(InputError, match="has changed since the study was created"):
        train(study, settings, CPU)
    assert not (study.run_folder / "run.json").exists()


def test_a_study_in_training_is_left_alone_by_a_second_one(study, settings):
    with study.lock(), pytest.raises(InputError, match="is being written by process"):
        train(Study.open(study.folder), settings, CPU)


def test_students_that_learn_side_by_side_have_the_same_weights(study, settings, trained_study, monkeypatch):
    monkeypatch.setattr(side_by_side, "FEWEST_STEPS", 1)

    train(study, settings, CPU, processors=Idle(2))

    assert_same_weights(study, Study.open(trained_study))
    order = list(stages(study))
    assert set(order) == set(stages(Study.open(trained_study))) and order[-1] == "finished"
    assert not multiprocessing.active_children()


def test_a_training_in_processes_stops_when_asked_and_goes_on_in_one(study, settings, trained_study, monkeypatch):
    monkeypatch.setattr(side_by_side, "FEWEST_STEPS", 1)
    with pytest.raises(Cancelled):
        train(study, settings, CPU, cancelled=cancelled_after(12), processors=Idle(2))
    assert not multiprocessing.active_children()

    train(study, settings, CPU)

    assert_same_weights(study, Study.open(trained_study))


@pytest.mark.parametrize("idle", [2, 3])
def test_volumes_that_are_computed_at_once_give_the_same_model(study, settings, trained_study, idle):
    train(study, settings, CPU, processors=Idle(idle))  # students of so few steps are not worth a process

    assert_same_weights(study, Study.open(trained_study))


def test_an_observer_follows_one_device_only(study, settings):
    with pytest.raises(ValueError, match="trained in other processes"):
        train(study, settings, CPU, devices=2, observer=lambda *_: None)
    assert not study.run_folder.exists()


def test_a_copied_study_goes_on_elsewhere(tmp_path, study, settings, trained_study):
    train(study, settings, CPU, until="slice-head")
    shutil.copytree(study.folder, tmp_path / "other place" / "copy")
    shutil.rmtree(study.folder)

    copy = Study.open(tmp_path / "other place" / "copy")
    train(copy, settings, CPU)

    assert_same_weights(copy, Study.open(trained_study))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
def test_a_training_killed_at_random_moments_ends_with_the_same_weights():
    small = [
        "teacher.steps=20",
        "slice_head.steps=20",
        "slice_network.steps=12",
        "student.steps=12",
        "student.label_steps=12",
        "student.members=1",
    ]
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--kills", "3", *(part for name in small for part in ("--set", name))],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = re.match(r"(\d+) kills .*: (\d+) of (\d+) tensors", done.stdout)
    assert told is not None, done.stdout
    kills, equal, tensors = map(int, told.groups())
    assert kills >= 2
    assert equal == tensors > 10
