"""Slices that were kept are not lost when the program is killed before the study's labels hold them."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice, SparseLabels
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.study.joining import checksums
from USLabelEfficientSegLib.study.kept_slices import KeptSlices, leave_kept
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
        assert leave_kept(Study.open(study.folder)) == ["second"]
        left = left_labels(study, "second")
        assert left is not None and left.labelled_slices() == [PLACE]
    assert not kept_files(study)


def test_kept_slices_are_newer_than_labels_in_the_inbox(study):
    KeptSlices().write(study, "first", {LabelledSlice(0, 1): np.zeros((5, 4), np.uint8)})
    leave_kept(study)
    KeptSlices().write(study, "first", {PLACE: drawn()})

    assert taken(study).read_labels("first").labelled_slices() == [PLACE]


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"case": "third", "slices": []}), json.dumps({"case": 3})])
def test_a_file_that_does_not_fit_stays_and_stops_nothing(study, content):
    KeptSlices().write(study, "first", {PLACE: drawn()})
    (study.folder / "kept" / "another.json").write_text(content)

    assert taken(study).read_labels("first").labelled_slices() == [PLACE]
    assert kept_files(study) == ["another.json"]


def test_labels_of_other_classes_or_shapes_are_not_taken(study):
    KeptSlices().write(study, "first", {PLACE: drawn() + 5})
    KeptSlices().write(study, "second", {PLACE: drawn()[:3]})

    assert leave_kept(study) == []
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
        leave(*arguments)
        monkeypatch.setattr(module, "leave_labels", leave)
        kept.write(study, "first", more, {})

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
        assert take_waiting(Study.open(study.folder)) == []
    KeptSlices().write(study, "second", {PLACE: drawn()})
    with study.lock():
        assert waiting_cases(study) == ["second"]
        with pytest.raises(InputError, match="is being written by process"):
            take_waiting(Study.open(study.folder))
        assert waiting_cases(study) == ["second"]
