"""Labels left for a study while it is trained are taken over as a whole, later."""

import numpy as np
import pytest
from labelled_cases import labels_of

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice, SparseLabels
from USLabelEfficientSegLib.disk.study_layout import NEW_LABELS
from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.study.inbox import (
    Held,
    leave_labels,
    newest_labels,
    put_labels,
    take_labels,
    waiting,
)
from USLabelEfficientSegLib.study.joining import checksums
from USLabelEfficientSegLib.study.label_merging import merge_labels
from USLabelEfficientSegLib.study.study import Study

GRID = Geometry((6, 5, 4), (1.0, 2.0, 3.0), (10.0, 0.0, 0.0), np.eye(3))


def image(folder, name):
    folder.mkdir(exist_ok=True)
    voxels = np.arange(120, dtype=np.uint8).reshape(GRID.shape)
    write_volume(folder / f"{name}.nrrd", Scan(voxels, GRID, name))
    return folder


@pytest.fixture
def study(tmp_path):
    for name in ("a", "b"):
        image(tmp_path / "images", name)
    return Study.create(tmp_path / "study", tmp_path / "images", organs=["liver"])


def slice_labels(*indices, organs=("liver",)):
    labels = SparseLabels.unlabelled(GRID, organs)
    for index in indices:
        labels.set_slice(2, index, np.ones((6, 5), dtype=np.uint8))
    return labels


def test_labels_are_left_while_another_holds_the_lock_and_taken_over_later(study):
    with study.lock():
        leave_labels(Study.open(study.folder), "a", slice_labels(1))
        leave_labels(Study.open(study.folder), "a", slice_labels(1, 3))
    assert study.read_labels("a") is None

    with study.lock():
        assert take_labels(study).cases == ["a"]

    assert labels_of(Study.open(study.folder), "a").labelled_slices() == [LabelledSlice(2, 1), LabelledSlice(2, 3)]
    assert not list((study.folder / NEW_LABELS).iterdir())


def test_labels_without_a_labelled_slice_make_the_case_unlabelled(study):
    study.set_labels("a", slice_labels(0))
    file = study.folder / study.case("a").labels.file
    leave_labels(study, "a", slice_labels())

    take_labels(study)

    assert Study.open(study.folder).read_labels("a") is None and not file.exists()


def test_labels_of_another_organ_or_grid_are_refused(study):
    with pytest.raises(InputError, match="label liver on"):
        leave_labels(study, "a", slice_labels(1, organs=("kidney",)))
    assert not (study.folder / NEW_LABELS).exists()


def test_removing_labels_removes_their_file(study):
    study.set_labels("b", slice_labels(2))
    study.remove_labels("b")
    study.remove_labels("b")

    assert Study.open(study.folder).summary()["labelled_slices"] == 0
    assert not list((study.folder / "labels").iterdir())


def test_volumes_join_a_study_and_names_stay_unique(study, tmp_path):
    study.set_labels("a", slice_labels(2))

    assert study.add_images(image(tmp_path / "more", "A")) == ["A"]

    again = Study.open(study.folder)
    assert [case.name for case in again.cases] == ["A", "a", "b"]
    assert len({case.image.file.casefold() for case in again.cases}) == 3
    assert again.case("a").labels is not None and again.read_scan("A").geometry.same_grid(GRID)
    again.check_files()
    with pytest.raises(InputError, match="same name as a volume"):
        study.add_images(tmp_path / "more")


def held(labels):
    """What is known by who has read these labels."""
    return Held(checksums(labels, 2))


def indices(study, name="a"):
    return [place.index for place in labels_of(Study.open(study.folder), name).labelled_slices()]


def test_labels_left_before_others_were_added_are_joined_with_them(study):
    study.set_labels("a", slice_labels(0))
    with study.lock():
        leave_labels(Study.open(study.folder), "a", slice_labels(0, 1), held(slice_labels(0)))
    study.set_labels("a", slice_labels(0, 2))
    newest = newest_labels(study, "a")
    assert newest is not None and [place.index for place in newest.labelled_slices()] == [0, 1, 2]

    take_labels(study)
    assert indices(study) == [0, 1, 2] and waiting(study) == []


def test_two_programs_that_leave_labels_of_one_case_lose_none(study):
    study.set_labels("a", slice_labels(0))
    leave_labels(study, "a", slice_labels(0, 1), held(slice_labels(0)))
    leave_labels(study, "a", slice_labels(0, 3), held(slice_labels(0)))

    take_labels(study)
    assert indices(study) == [0, 1, 3]


def test_a_slice_taken_back_while_the_study_is_busy_is_gone_and_one_added_meanwhile_stays(study):
    study.set_labels("a", slice_labels(0, 1))
    leave_labels(study, "a", slice_labels(0), held(slice_labels(0, 1)))
    study.set_labels("a", slice_labels(0, 1, 2))

    take_labels(study)
    assert indices(study) == [0, 2]


def test_the_giver_is_told_what_it_lacks_and_need_not_read_what_nobody_has_changed(study, monkeypatch):
    given = put_labels(study, "a", slice_labels(1), Held())
    assert given.held.agreed == checksums(slice_labels(1), 2) and not given.held.is_behind
    study.set_labels("a", slice_labels(1, 3))
    given = put_labels(study, "a", slice_labels(0, 1), given.held)
    assert indices(study) == [0, 1, 3] and given.held.is_behind and given.set_aside is None
    assert given.held.agreed == checksums(slice_labels(0, 1), 2)

    seen = put_labels(study, "a", slice_labels(0, 1, 3), given.held).held
    assert not seen.is_behind
    monkeypatch.setattr(Study, "read_labels", lambda *_: pytest.fail("is read again"))
    put_labels(study, "a", slice_labels(0, 3), seen)
    monkeypatch.undo()
    assert indices(study) == [0, 3]


def test_what_two_have_drawn_on_one_slice_is_set_aside_in_a_folder_of_its_own_each_time(study):
    other = slice_labels(1)
    other.set_slice(2, 1, np.zeros((6, 5), np.uint8))
    study.set_labels("a", other)
    with pytest.warns(Notice, match="holds slices of a as they were drawn elsewhere .axial, slice 2 of 4"):
        first = put_labels(study, "a", slice_labels(1), Held()).set_aside
    study.set_labels("a", other)
    with pytest.warns(Notice):
        second = put_labels(study, "a", slice_labels(1), Held()).set_aside

    assert first is not None and second is not None and first != second
    for folder in (first, second):
        with study.lock():
            study.set_labels("a", slice_labels(1))
            assert merge_labels(study, folder)[0].replaced == (LabelledSlice(2, 1),)
        assert not labels_of(study, "a").of_slice(LabelledSlice(2, 1)).any()


def test_a_conflict_that_is_found_when_the_inbox_is_taken_is_told_with_its_case_and_folder(study):
    leave_labels(study, "a", slice_labels(1), Held())
    leave_labels(study, "b", slice_labels(2), Held())
    other = slice_labels(1)
    other.set_slice(2, 1, np.zeros((6, 5), np.uint8))
    study.set_labels("a", other)

    with pytest.warns(Notice, match="holds slices of a"):
        taken = take_labels(study)

    assert taken.cases == ["a", "b"]
    ((name, folder),) = taken.set_aside
    assert name == "a" and [path.name for path in folder.iterdir()] == ["a.nrrd"]
    assert labels_of(study, "a").of_slice(LabelledSlice(2, 1)).all()
