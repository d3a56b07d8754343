"""Slices that were kept are not lost when the program is killed before the study's labels hold them."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice, SparseLabels
from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.study.joining import checksums
from USLabelEfficientSegLib.study.kept_slices import KeptSlices, leave_kept, unfit_files
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.waiting_labels import take_waiting, waiting_cases

SHAPE = (6, 5, 4)
PLACE = LabelledSlice(2, 1)


@pytest.fixture
def study(tmp_path):
    """A study of two volumes without labels."""
    geometry = Geometry(SHAPE, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
    (tmp_path / "images").mkdir()
    for name in ("first", "second"):
        voxels = np.arange(120, dtype=np.uint8).reshape(SHAPE)
        write_volume(tmp_path / "images" / f"{name}.nrrd", Scan(voxels, geometry, name))
    return Study.create(tmp_path / "study", tmp_path / "images", organs=["solid", "fluid"])


def drawn():
    labels = np.zeros((6, 5), np.uint8)
    labels[1:3, 1:4], labels[4, 4] = 1, 2
    return labels


def taken(study):
    take_waiting(study)
    return study


def kept_files(study):
    return sorted(path.name for path in (study.folder / "kept").glob("*"))


def test_a_process_that_is_killed_after_a_click_loses_nothing(study):
    program = """
import os, signal, sys
from pathlib import Path
import numpy as np
from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice, SparseLabels
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.kept_slices import KeptSlices
from USLabelEfficientSegLib.study.study import Study

study = Study.open(Path(sys.argv[1]))
labels = np.array(eval(sys.argv[2]), np.uint8)
KeptSlices().write(study, "first", {LabelledSlice(2, 1): labels})
os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
"""
    found = subprocess.run([sys.executable, "-c", program, str(study.folder), str(drawn().tolist())])

    assert found.returncode == -getattr(signal, "SIGKILL", signal.SIGTERM)
    assert study.read_labels("first") is None
    stored = taken(Study.open(study.folder)).read_labels("first")
    assert stored.labelled_slices() == [PLACE]
    np.testing.assert_array_equal(stored.of_slice(PLACE), drawn())
    assert not kept_files(study)


def test_what_the_study_holds_is_kept_no_longer_but_what_was_kept_since_is(study):
    kept = KeptSlices()
    held = kept.write(study, "first", {PLACE: drawn()})
    assert kept_files(study) == ["first.nrrd.json"]

    held_later = kept.write(study, "first", {PLACE: drawn(), LabelledSlice(0, 2): np.zeros((5, 4), np.uint8)})
    held()
    assert kept_files(study) == ["first.nrrd.json"]
    held_later()
    assert not kept_files(study)


def test_a_slice_that_was_taken_back_is_not_labelled_after_a_kill(study):
    taken_before = KeptSlices()
    taken_before.write(study, "first", {PLACE: drawn()})
    taken(study)
    KeptSlices().write(study, "first", {})

    assert taken(study).read_labels("first") is None


def test_while_another_program_writes_the_study_kept_slices_wait_in_its_inbox(study):
    from USLabelEfficientSegLib.study.inbox import left_labels

    KeptSlices().write(study, "second", {PLACE: drawn()})
    with study.lock():
        assert leave_kept(Study.open(study.folder)).cases == ["second"]
        left = left_labels(study, "second")
        assert left is not None and left.labelled_slices() == [PLACE]
    assert not kept_files(study)


def test_kept_slices_are_newer_than_labels_in_the_inbox(study):
    KeptSlices().write(study, "first", {LabelledSlice(0, 1): np.zeros((5, 4), np.uint8)})
    leave_kept(study)
    KeptSlices().write(study, "first", {PLACE: drawn()})

    assert taken(study).read_labels("first").labelled_slices() == [PLACE]


BEYOND = {"axis": 7, "index": 0, "shape": [1], "labels": "eJxjAAAAAQAB"}
UNFIT = {
    "{": "is damaged",
    "[]": "is damaged",
    json.dumps({"case": "third", "slices": []}): "holds slices of third, which is not in this study",
    json.dumps({"case": 3}): "holds slices of 3, which is not in this study",
    json.dumps({"case": "first", "slices": [BEYOND]}): "is damaged",
}


@pytest.mark.parametrize("content", UNFIT)
def test_a_file_that_does_not_fit_stays_stops_nothing_and_is_told(study, content):
    KeptSlices().write(study, "first", {PLACE: drawn()})
    file = study.folder / "kept" / "another.json"
    file.write_text(content)
    assert waiting_cases(study) == ["first"]

    with pytest.warns(Notice) as told:
        found = take_waiting(study)

    assert study.read_labels("first").labelled_slices() == [PLACE] and found.cases == ["first"]
    assert kept_files(study) == ["another.json"]
    (error,) = found.unfit
    assert error.subject == file and error.problem.startswith(UNFIT[content])
    assert error.remedy == "label its slices again, then remove the file"
    assert str(told[0].message) == str(error)
    assert [str(one) for one in unfit_files(study)] == [str(error)]


def test_a_file_that_does_not_fit_locks_nothing(study):
    KeptSlices().write(study, "first", {PLACE: drawn()[:3]})
    with study.lock(), pytest.warns(Notice):
        found = take_waiting(Study.open(study.folder))
    assert found.cases == [] and len(found.unfit) == 1 and waiting_cases(study) == []


def test_an_inbox_that_cannot_be_written_is_told_and_what_was_kept_stays(study, monkeypatch):
    from USLabelEfficientSegLib.study import kept_slices as module

    def full(*arguments):
        raise InputError("new_labels", "cannot be written", "make room on its disk")

    KeptSlices().write(study, "first", {PLACE: drawn()})
    monkeypatch.setattr(module, "leave_labels", full)
    with pytest.raises(InputError, match="make room"):
        take_waiting(study)
    assert kept_files(study) == ["first.nrrd.json"]


def test_what_two_have_drawn_on_one_slice_is_told_when_kept_slices_are_taken(study):
    KeptSlices().write(study, "first", {PLACE: drawn()}, {})
    study.set_labels("first", of_slices(study, {1: np.zeros((6, 5), np.uint8)}))

    with pytest.warns(Notice, match="as they were drawn elsewhere"):
        found = take_waiting(study)

    ((name, folder),) = found.set_aside
    assert name == "first" and (folder / "first.nrrd").is_file()
    np.testing.assert_array_equal(study.read_labels("first").of_slice(PLACE), drawn())


def test_labels_of_other_classes_or_shapes_are_not_taken(study):
    KeptSlices().write(study, "first", {PLACE: drawn() + 5})
    KeptSlices().write(study, "second", {PLACE: drawn()[:3]})

    with pytest.warns(Notice):
        left = leave_kept(study)
    assert left.cases == []
    other_class, other_shape = left.unfit
    assert "hold class 5, but there are only 2 organs" in other_class.problem and "first" in str(other_class.subject)
    assert "has (6, 5) pixels, its labels (3, 5)" in other_shape.problem and "second" in str(other_shape.subject)
    assert len(kept_files(study)) == 2


def test_a_folder_that_is_gone_is_not_made_again(study):
    import shutil

    shutil.rmtree(study.folder)
    KeptSlices().write(study, "first", {PLACE: drawn()})
    assert not study.folder.exists()


def test_a_slice_is_packed_once(study, monkeypatch):
    from USLabelEfficientSegLib.study import kept_slices as module

    kept, packed = KeptSlices(), []
    compress = module.zlib.compress

    def counted(data, level):
        packed.append(level)
        return compress(data, level)

    monkeypatch.setattr(module.zlib, "compress", counted)
    for count in range(1, 4):
        kept.write(study, "first", {LabelledSlice(2, index): drawn() for index in range(count)})
    assert len(packed) == 3


def of_slices(study, slices):
    """Labels of a case of the study, a 2-D array a slice across axis 2."""
    labels = SparseLabels.unlabelled(study.read_scan("first").geometry, study.organs)
    for index, one in slices.items():
        labels.set_slice(2, index, one)
    return labels


def test_slices_that_were_added_to_the_study_after_a_kill_stay_beside_those_kept_before_it(study):
    before = of_slices(study, {3: drawn()})
    study.set_labels("first", before)
    agreed = checksums(before, 2)
    KeptSlices().write(study, "first", {PLACE: drawn(), LabelledSlice(2, 3): drawn()}, agreed)
    study.set_labels("first", of_slices(study, {0: drawn(), 3: np.zeros((6, 5), np.uint8)}))

    stored = taken(study).read_labels("first")
    assert [place.index for place in stored.labelled_slices()] == [0, 1, 3]
    assert not stored.of_slice(LabelledSlice(2, 3)).any()  # as it was corrected since
    np.testing.assert_array_equal(stored.of_slice(PLACE), drawn())
    assert not (study.folder / "set_aside").exists()


def test_a_program_that_lives_and_keeps_more_meanwhile_loses_nothing(study, monkeypatch):
    from USLabelEfficientSegLib.study import kept_slices as module

    kept = KeptSlices()
    kept.write(study, "first", {PLACE: drawn()}, {})
    leave, more = module.leave_labels, {PLACE: drawn(), LabelledSlice(2, 2): drawn()}

    def slowly(*arguments):
        given = leave(*arguments)
        monkeypatch.setattr(module, "leave_labels", leave)
        kept.write(study, "first", more, {})
        return given

    monkeypatch.setattr(module, "leave_labels", slowly)
    leave_kept(study)
    assert kept_files(study) == ["first.nrrd.json"]
    assert [place.index for place in taken(study).read_labels("first").labelled_slices()] == [1, 2]


def test_of_slices_given_one_after_the_other_the_latest_are_written_however_late_others_are(study):
    kept = KeptSlices()
    earlier = kept.given(study, "first", {PLACE: np.zeros((6, 5), np.uint8)})
    kept.write(study, "first", {PLACE: drawn()})
    earlier.write()
    earlier.held()

    np.testing.assert_array_equal(taken(study).read_labels("first").of_slice(PLACE), drawn())


def test_where_nothing_waits_nothing_is_locked(study):
    assert waiting_cases(study) == []
    with study.lock():
        assert take_waiting(Study.open(study.folder)).cases == []
    KeptSlices().write(study, "second", {PLACE: drawn()})
    with study.lock():
        assert waiting_cases(study) == ["second"]
        with pytest.raises(InputError, match="is being written by process"):
            take_waiting(Study.open(study.folder))
        assert waiting_cases(study) == ["second"]
