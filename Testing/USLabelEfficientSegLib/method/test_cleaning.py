"""A study that was cleaned holds little more than its model, and does all that it did before."""

import shutil
from pathlib import Path

import pytest
import torch
from simulated_heads import write_heads
from trained_studies import CPU, assert_same_weights, label_another_slice, stages, weights

from USLabelEfficientSegLib.disk.study_layout import EARLIER_MODEL_NAME, MODEL_NAME, TEACHER_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
from USLabelEfficientSegLib.method.cleaning import clean, tidy
from USLabelEfficientSegLib.method.images import train_images
from USLabelEfficientSegLib.method.suggesting import suggest
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.provenance import read_settings
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_little_more_than_the_model_stays_and_nothing_of_it_changes(trained):
    before, whole = files(trained.folder), size_of(trained.run_folder)

    cleaned = clean(trained)

    after = files(trained.folder)
    assert {path.name for path in trained.run_folder.iterdir()} == {MODEL_NAME, "run.json", "events.jsonl"}
    assert all(before[path] == content for path, content in after.items())
    assert {path.parts[0] for path in before.keys() - after.keys()} == {"run"}
    assert cleaned.kept == size_of(trained.run_folder) == whole - sum(cleaned.removed.values())
    assert cleaned.kept <= 1.1 * cleaned.model == 1.1 * (trained.run_folder / MODEL_NAME).stat().st_size
    assert set(cleaned.removed) == {"checkpoints", "features", "pseudo-labels"} and min(cleaned.removed.values()) > 0


def test_a_dry_run_counts_the_same_and_removes_nothing(trained):
    before = files(trained.folder)

    counted = clean(trained, dry_run=True)

    assert files(trained.folder) == before
    assert counted == clean(trained)


def test_a_second_time_there_is_nothing_to_remove(trained):
    clean(trained)

    assert clean(trained).removed == {}


def test_predictions_and_suggestions_are_those_of_before(trained):
    name = trained.cases[0].name
    before = load_model(trained.folder).predict(trained.read_scan(name), CPU).labels().voxels
    suggested = suggest(trained, 3)

    clean(trained)

    assert (load_model(trained.folder).predict(trained.read_scan(name), CPU).labels().voxels == before).all()
    assert suggest(trained, 3) == suggested
    assert trained.training() == {"stage": "finished", "step": 1, "of": 1, "state": "finished"}


def test_without_news_training_is_done_at_once_and_the_model_stays(trained, settings):
    clean(trained)
    before, events = files(trained.folder / "run"), len(read_events(trained.events.path))

    model = train(trained, settings, CPU)

    assert stages(trained, events) == {"finished": True}
    after = files(trained.folder / "run")
    assert after[Path(MODEL_NAME)] == before[Path(MODEL_NAME)] and after.keys() == before.keys()
    assert model is not None and model.digest() == load_model(trained.folder).digest()


def test_with_another_label_students_learn_on_and_the_teacher_learns_again(trained, settings):
    clean(trained)
    label_another_slice(trained)
    events, before = len(read_events(trained.events.path)), weights(trained)

    train(trained, settings, CPU)

    done = stages(trained, events)
    assert "continuing" in done and done["teacher"] and (trained.run_folder / EARLIER_MODEL_NAME).exists()
    assert any(not torch.equal(tensor, before[name]) for name, tensor in weights(trained).items())
    cleaned = clean(trained)
    assert "networks of earlier trainings" in cleaned.removed and cleaned.kept <= 1.2 * cleaned.model


def test_a_label_that_was_edited_in_its_file_counts_as_news(trained, settings):
    clean(trained)
    events = len(read_events(trained.events.path))
    label_another_slice(trained)  # in the file alone: the manifest does not know as yet

    train(Study.open(trained.folder), settings, CPU)

    assert "teacher" in stages(trained, events)


def test_other_settings_are_refused_as_ever_and_restart_trains_anew(trained, settings):
    clean(trained)

    with pytest.raises(InputError, match="is trained with other settings"):
        train(trained, changed(settings, {"seed": 7}), CPU)

    train(trained, changed(settings, {"seed": 7}), CPU, restart=True)
    trained_with = read_settings(trained)
    assert trained_with is not None and trained_with.seed == 7
    assert clean(trained).removed


def test_a_training_that_runs_an_unfinished_and_a_damaged_one_are_refused(trained, study):
    with Study.open(trained.folder).lock(), pytest.raises(InputError, match="is being written by process"):
        clean(trained)
    with pytest.raises(InputError, match="is not trained to the end yet"):
        clean(study)
    model = trained.run_folder / MODEL_NAME
    model.write_bytes(model.read_bytes()[:-100])
    before = files(trained.folder)
    with pytest.raises(InputError, match="is damaged"):
        clean(trained)
    assert files(trained.folder) == before


@pytest.fixture
def heads(tmp_path):
    """A tiny trained study of 2-D images, and its settings."""
    tiny = {
        "method": "information-divergence",
        "divergence.image_size": 32,
        "divergence.steps": 3,
        "divergence.labelled_images": 2,
        "divergence.unlabelled_images": 4,
        "divergence.interpolation_start": 0.0,
    }
    settings = changed(Settings(), tiny)
    write_heads(tmp_path / "heads", 4)
    images, masks = tmp_path / "heads" / "images", tmp_path / "heads" / "masks"
    sizes = read_pixel_sizes(tmp_path / "heads" / "sizes.csv")
    study = Study.create(
        tmp_path / "heads study", images, masks, organs=["head"], label_fraction=0.5, pixel_sizes=sizes
    )
    train_images(study, settings, CPU)
    return study, settings


def test_networks_of_images_learn_anew_after_other_labels_and_not_without(heads):
    study, settings = heads
    assert clean(study).kept <= 1.1 * (study.run_folder / MODEL_NAME).stat().st_size
    events, model = len(read_events(study.events.path)), (study.run_folder / MODEL_NAME).read_bytes()

    train_images(study, settings, CPU)
    assert stages(study, events) == {"finished": True}
    assert (study.run_folder / MODEL_NAME).read_bytes() == model

    study.remove_labels(next(case.name for case in study.cases if case.labels is not None))
    train_images(study, settings, CPU)
    messages = [event.message for event in read_events(study.events.path)[events:] if event.message]
    assert "labels or images have changed: the networks are trained anew" in messages
    assert (study.run_folder / MODEL_NAME).read_bytes() != model


def test_the_command_tells_how_much_and_what_comes_next(call, trained_study, tmp_path):
    study = shutil.copytree(trained_study, tmp_path / "study")

    code, would, err = call("study", "clean", study, "--dry-run")
    assert code == 0, err
    code, out, err = call("study", "clean", study)

    assert code == 0, err
    lines = out.splitlines()
    assert lines[-3].startswith("Removed 9.") and " MB of " in lines[-3] and "checkpoints " in lines[-3]
    assert would.splitlines()[-3] == lines[-3].replace("Removed", "Would remove")
    assert lines[-2] == would.splitlines()[-2].replace("would take", "takes")
    assert lines[-1].startswith("Next: uslabelseg segment ")
    assert f"There is nothing to remove from {study}." in call("study", "clean", study)[1]
    assert call("study", "show", study)[0] == 0
    code, _, err = call("segment", study, study / "images", "--output", tmp_path / "segmented")
    assert code == 0 and len(list((tmp_path / "segmented").glob("*.nrrd"))) == 3, err


def test_after_tidying_the_teacher_stays_and_training_without_news_is_done_at_once(trained, settings):
    model, digest = (trained.run_folder / MODEL_NAME).read_bytes(), load_model(trained.folder).digest()
    tidy(trained)
    left = {path.name for path in trained.run_folder.iterdir()}
    events = len(read_events(trained.events.path))

    again = train(trained, settings, CPU)

    assert left == {MODEL_NAME, TEACHER_NAME, "run.json", "events.jsonl"}
    assert stages(trained, events) == {"finished": True}
    assert again is not None and again.digest() == digest
    assert (trained.run_folder / MODEL_NAME).read_bytes() == model
    assert set(clean(trained).removed) == {"checkpoints"}


def test_after_tidying_another_label_needs_no_new_teacher(trained, settings):
    tidy(trained)
    teacher = (trained.run_folder / TEACHER_NAME).read_bytes()
    label_another_slice(trained)
    events = len(read_events(trained.events.path))

    train(trained, settings, CPU)

    assert stages(trained, events)["student continued.1"]
    assert (trained.run_folder / TEACHER_NAME).read_bytes() == teacher


def test_a_study_without_a_model_is_not_tidied(trained):
    (trained.run_folder / MODEL_NAME).unlink()
    before = files(trained.folder)

    tidy(trained)

    assert files(trained.folder) == before


def test_the_command_that_trains_leaves_model_and_teacher(study, call, tiny_changes, trained_study):
    changes = [word for name, value in tiny_changes.items() for word in ("--set", f"{name}={value}")]

    code, _, err = call("train", study.folder, "--device", "cpu", *changes)

    assert code == 0, err
    assert {path.name for path in study.run_folder.iterdir()} == {MODEL_NAME, TEACHER_NAME, "run.json", "events.jsonl"}
    assert_same_weights(study, Study.open(trained_study))
