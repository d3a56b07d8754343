"""Somebody may watch a student while it is trained; the student does not notice."""

import shutil

import pytest
import torch

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.imaging.files import read_label_map
from USLabelEfficientSegLib.imaging.resampling import working_geometry
from USLabelEfficientSegLib.method import opening
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation import preview
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.provenance import read_settings
from USLabelEfficientSegLib.study.settings import Settings
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.watching import PREVIEW, WATCHED, watch_volume, watched_volume
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint
from USLabelEfficientSegLib.training.side_by_side import SideBySide


@pytest.fixture
def studies(tmp_path, trained_study):
    """A trained study and a copy that is to be trained from the student on."""
    shutil.copytree(trained_study, tmp_path / "study")
    study = Study.open(tmp_path / "study")
    for name in ("student_1_1.safetensors", MODEL_NAME, "events.jsonl"):
        (study.run_folder / name).unlink()
    return Study.open(trained_study), study


def settings_of(study: Study) -> Settings:
    settings = read_settings(study)
    assert settings is not None
    return settings


@pytest.mark.parametrize("watching", [True, False])
def test_training_ends_with_the_same_weights_whether_it_is_watched_or_not(studies, monkeypatch, watching):
    unwatched, study = studies
    monkeypatch.setattr(preview, "SECONDS_BETWEEN_PREVIEWS", 0.0)
    name = study.cases[1].name
    watch_volume(study.folder, name if watching else None)

    train(study, settings_of(study), torch.device("cpu"))

    first, second = (load_checkpoint(each.run_folder / MODEL_NAME)[0] for each in (unwatched, study))
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items()) and len(first) > 10
    told = [event.step for event in read_events(study.events.path) if event.preview == PREVIEW]
    assert told == ([1, 2, 3] if watching else [])
    if watching:
        shown = read_label_map(study.folder / PREVIEW)
        assert shown.geometry.same_grid(working_geometry(study.read_scan(name).geometry, 32))
        assert shown.voxels.max() <= len(study.organs)
    else:
        assert not (study.folder / PREVIEW).exists()


def test_a_student_that_another_process_trains_can_be_watched(studies, monkeypatch):
    """Its latest checkpoint is shown, as the step that it has told of since."""
    _, study = studies
    name = study.cases[1].name
    watch_volume(study.folder, name)
    monkeypatch.setattr(preview, "SECONDS_BETWEEN_PREVIEWS", 0.0)

    class Elsewhere(SideBySide):
        def settle(self, checkpoint, meanwhile=lambda step: None):
            if checkpoint.name == "student_labels_1.safetensors":  # complete: as another process would leave it
                meanwhile(0)  # nothing was told yet
                meanwhile(2)

    monkeypatch.setattr(opening, "SideBySide", Elsewhere)
    train(study, settings_of(study), torch.device("cpu"))

    told = [event for event in read_events(study.events.path) if event.preview == PREVIEW]
    assert [(event.step, event.of) for event in told if event.stage == "labels alone 1"] == [(2, 3)]
    assert read_label_map(study.folder / PREVIEW).voxels.max() <= len(study.organs)


def test_a_volume_that_is_not_in_the_study_is_not_watched(studies, monkeypatch):
    _, study = studies
    monkeypatch.setattr(preview, "SECONDS_BETWEEN_PREVIEWS", 0.0)
    watch_volume(study.folder, "of another study")

    train(study, settings_of(study), torch.device("cpu"))

    assert watched_volume(study.folder) == "of another study"
    assert not (study.folder / PREVIEW).exists()


@pytest.mark.parametrize("text", [b"", b"{", b"\x93\xff", b"[]", b"{}", b"NaN", b"[" * 100_000, b'{"volume": 5}'])
def test_a_damaged_wish_for_previews_is_none(tmp_path, text):
    path = tmp_path / WATCHED
    path.parent.mkdir()
    path.write_bytes(text)

    assert watched_volume(tmp_path) in (None, "5")


@pytest.mark.parametrize("damage", ["watched.json", "now.nrrd", "network"])
def test_no_preview_ends_a_training(studies, monkeypatch, damage):
    unwatched, study = studies
    monkeypatch.setattr(preview, "SECONDS_BETWEEN_PREVIEWS", 0.0)
    watch_volume(study.folder, study.cases[1].name)
    if damage == "watched.json":
        (study.folder / WATCHED).write_bytes(b"\x00damaged")
    elif damage == "now.nrrd":
        (study.folder / PREVIEW).mkdir()
    else:
        monkeypatch.setattr(preview, "predict_inputs", fail)

    train(study, settings_of(study), torch.device("cpu"))

    first, second = (load_checkpoint(each.run_folder / MODEL_NAME)[0] for each in (unwatched, study))
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    told = [event.message for event in read_events(study.events.path) if event.message and "preview" in event.message]
    assert len(told) == (0 if damage == "watched.json" else 1)


def fail(*_):
    raise RuntimeError("out of memory")
