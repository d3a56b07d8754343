"""Labels left for a study while it is trained are taken over as a whole, later."""

import numpy as np
import pytest
from labelled_cases import labels_of

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice, SparseLabels
from USLabelEfficientSegLib.disk.study_layout import NEW_LABELS
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.study.inbox import leave_labels, take_labels
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
        assert take_labels(study) == ["a"]

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
