"""Slices that the panel kept before a crash, or left while the study was trained, are labels for every command."""

import numpy as np
import pytest

from USLabelEfficientSegLib import pipeline
from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice, SparseLabels
from USLabelEfficientSegLib.errors import Cancelled
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.study.inbox import leave_labels
from USLabelEfficientSegLib.study.kept_slices import KeptSlices
from USLabelEfficientSegLib.study.settings import preset
from USLabelEfficientSegLib.study.study import Study

PLACE = LabelledSlice(2, 7)
TOLD = "Took labels of {}, which had been drawn in 3D Slicer and waited in the study."


@pytest.fixture
def study(tmp_path, simulated):
    """A study without labels, of whose first volume a slice was kept when Slicer crashed."""
    made = Study.create(tmp_path / "study", simulated / "images", organs=["solid", "fluid"])
    KeptSlices().write(made, made.cases[0].name, {PLACE: slice_of(made)}, {})
    return made


def slice_of(study):
    labels = np.zeros(study.cases[0].image.shape[:2], np.uint8)
    labels[4:9, 4:9], labels[12:15, 4:9] = 1, 2
    return labels


def places(study, case=0):
    record = Study.open(study.folder).cases[case].labels
    return [] if record is None else list(record.slices)


def test_a_training_takes_them_before_it_looks_for_labels(study, call, monkeypatch):
    seen = []
    monkeypatch.setattr(pipeline, "train", lambda study, *_, **__: seen.append(study.cases[0].labels.slices))

    code, text, err = call("train", study.folder, "--device", "cpu")

    assert code == 0, err
    assert TOLD.format(study.cases[0].name) in text and seen == [((2, 7),)]


def test_a_training_by_a_script_takes_them_too(study, monkeypatch):
    import torch

    def stop(*_, **__):
        raise Cancelled("after the labels were looked for")

    monkeypatch.setattr(pipeline, "model_of_cleaned", stop)
    with pytest.raises(Cancelled):
        pipeline.train(study, preset("quick"), torch.device("cpu"))
    assert places(study) == [(2, 7)]


def test_what_was_left_in_the_inbox_is_taken_as_well(study, call, monkeypatch):
    monkeypatch.setattr(pipeline, "train", lambda *_, **__: None)
    labels = SparseLabels.unlabelled(study.read_scan(study.cases[1].name).geometry, study.organs)
    labels.set_slice(2, 3, slice_of(study))
    leave_labels(study, study.cases[1].name, labels)

    _, text, _ = call("train", study.folder, "--device", "cpu")
    assert TOLD.format(", ".join(case.name for case in study.cases[:2])) in text
    assert places(study) == [(2, 7)] and places(study, 1) == [(2, 3)]


def test_they_are_labels_before_others_are_suggested_added_or_exported(study, call, tmp_path):
    name = study.cases[0].name
    code, text, err = call("suggest", study.folder, "--count", 3)
    assert code == 0, err
    assert TOLD.format(name) in text and places(study) == [(2, 7)]

    KeptSlices().write(study, name, {PLACE: slice_of(study), LabelledSlice(2, 9): slice_of(study)})
    drawn = SparseLabels.unlabelled(study.read_scan(name).geometry, study.organs)
    drawn.set_slice(2, 3, slice_of(study))
    (tmp_path / "drawn").mkdir()
    write_label_map(tmp_path / "drawn" / f"{name}.nrrd", LabelMap(drawn.voxels, drawn.geometry, name))
    code, text, err = call("study", "label", study.folder, "--labels", tmp_path / "drawn")
    assert code == 0, err
    assert TOLD.format(name) in text and places(study) == [(2, 3), (2, 7), (2, 9)]

    KeptSlices().write(study, study.cases[1].name, {PLACE: slice_of(study)})
    code, text, err = call("study", "export-nnunet", study.folder, tmp_path / "Dataset1_Organs")
    assert code == 0, err
    assert "2 labelled volumes" in text


def test_a_study_tells_of_them_and_what_cannot_be_written_is_told_and_not_counted(study, call):
    name = study.cases[0].name
    code, text, err = call("study", "show", study.folder)
    assert code == 0 and f"Labels of {name} wait in the study; the next training takes them." in text + err
    assert places(study) == []
    with study.lock():
        code, text, err = call("suggest", study.folder, "--count", 3)
        assert code == 0
    assert f"Labels of {name} wait in the study and do not count as yet: " in text + err
    assert "is being written" in text + err and places(study) == []


def test_a_report_of_a_study_takes_them_and_they_are_its_references(study_copy, call, tmp_path):
    study = Study.open(study_copy)
    case = next(case for case in study.cases if case.labels is None or (2, 7) not in case.labels.slices)
    KeptSlices().write(study, case.name, {PLACE: np.zeros(case.image.shape[:2], np.uint8)}, {})
    code, text, err = call("report", study_copy, "--output", tmp_path / "report.html")
    assert code == 0, err
    assert TOLD.format(case.name) in text
    record = Study.open(study_copy).case(case.name).labels
    assert record is not None and (2, 7) in record.slices
    assert (tmp_path / "report.html").is_file() and not list((study_copy / "kept").iterdir())


def test_a_report_of_a_study_that_is_being_trained_tells_what_does_not_count(study_copy, call, tmp_path):
    study = Study.open(study_copy)
    KeptSlices().write(study, study.cases[0].name, {PLACE: slice_of(study)}, {})
    before = study.cases[0].labels
    with study.lock():
        code, text, err = call("report", study_copy, "--output", tmp_path / "report.html")
    assert code == 0, err
    assert f"Labels of {study.cases[0].name} wait in the study and do not count as yet: " in text + err
    assert Study.open(study_copy).cases[0].labels == before


@pytest.mark.parametrize("command", [("suggest", "--count", 3), ("study", "show")])
def test_a_kept_file_that_fits_no_volume_is_told_with_problem_and_remedy(study, call, command):
    file = study.folder / "kept" / "gone.nrrd.json"
    file.write_text('{"case": "gone", "slices": []}')

    code, text, err = call(*command, study.folder)

    assert code == 0 and file.exists()
    sentence = "holds slices of gone, which is not in this study; label its slices again, then remove the file."
    assert (text + err).count(f"{file}: {sentence}") == 1
