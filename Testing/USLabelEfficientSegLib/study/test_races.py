"""Two programs that write one study: nothing of either is lost, whichever is first."""

import os
from pathlib import Path

import numpy as np
import pytest
from labelled_cases import record_of

from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.disk.files import atomic_write_text
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.study import creation
from USLabelEfficientSegLib.study.study import Study

GRID = Geometry((4, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def images(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for number, name in enumerate(names):
        voxels = np.arange(number, 120 + number, dtype=np.uint8).reshape(4, 5, 6)
        write_volume(folder / f"{name}.nrrd", Scan(voxels, GRID, name))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study", images(tmp_path / "first", "a", "b"))


def slice_labels(study: Study, index: int) -> SparseLabels:
    voxels = np.full(GRID.shape, 255, dtype=np.uint8)
    voxels[:, :, index] = 1
    return SparseLabels(voxels, GRID, study.organs)


def names(folder: Path) -> list[str]:
    return [case.name for case in Study.open(folder).cases]


def test_volumes_that_two_programs_add_are_both_in_the_study(study: Study, tmp_path: Path) -> None:
    one, other = Study.open(study.folder), Study.open(study.folder)
    with one.lock():
        one.add_images(images(tmp_path / "c", "c"))
    with other.lock():
        other.add_images(images(tmp_path / "d", "d"))
    assert names(study.folder) == ["a", "b", "c", "d"]


def test_a_volume_that_another_program_added_is_not_added_twice(study: Study, tmp_path: Path) -> None:
    one, other = Study.open(study.folder), Study.open(study.folder)
    folder = images(tmp_path / "c", "c")
    one.add_images(folder)
    with pytest.raises(InputError, match="has the same name as a volume"):
        other.add_images(folder)


def test_a_training_that_had_read_the_study_does_not_undo_an_addition(study: Study, tmp_path: Path) -> None:
    study.set_labels("a", slice_labels(study, 2))
    training = Study.open(study.folder)
    Study.open(study.folder).add_images(images(tmp_path / "c", "c"))
    edited = Study.open(study.folder)
    atomic_label = edited.folder / record_of(edited.case("a")).file
    other = slice_labels(study, 3)
    from USLabelEfficientSegLib.imaging.files import write_label_map
    from USLabelEfficientSegLib.imaging.scan import LabelMap

    write_label_map(atomic_label, LabelMap(other.voxels, GRID, "a"))  # so that check_files writes the manifest

    with training.lock():
        training.check_files()
        assert [case.name for case in training.cases] == ["a", "b", "c"]

    assert names(study.folder) == ["a", "b", "c"]
    assert record_of(Study.open(study.folder).case("a")).slices == ((2, 3),)


def test_labels_that_the_panel_sets_do_not_undo_an_addition(study: Study, tmp_path: Path) -> None:
    panel = Study.open(study.folder)
    Study.open(study.folder).add_images(images(tmp_path / "c", "c"))
    panel.set_labels("b", slice_labels(panel, 1))
    assert names(study.folder) == ["a", "b", "c"]
    Study.open(study.folder).add_images(images(tmp_path / "d", "d"))
    panel.remove_labels("b")
    assert names(study.folder) == ["a", "b", "c", "d"]


def test_what_writes_without_being_asked_to_lock_is_refused_beside_a_writer(study: Study, tmp_path: Path) -> None:
    panel, more = Study.open(study.folder), images(tmp_path / "c", "c")
    with study.lock():
        for write in (
            lambda: panel.set_labels("b", slice_labels(panel, 1)),
            lambda: panel.add_images(more),
            panel.check_files,
        ):
            with pytest.raises(InputError, match="is being written by process"):
                write()


def test_an_addition_that_fails_leaves_nothing_of_it(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(path.name for path in study.folder.rglob("*"))
    folder = images(tmp_path / "c", "c", "d")
    stored: list[Path] = []

    def full(path: Path, volume: Scan) -> None:
        if stored:
            raise InputError(path, "the disk is full", "free some space")
        stored.append(path)
        write_volume(path, volume)

    monkeypatch.setattr(creation, "write_volume", full)
    with pytest.raises(InputError, match="disk is full"):
        study.add_images(folder)
    assert sorted({path.name for path in study.folder.rglob("*")} - {"lock"}) == before
    assert [case.name for case in study.cases] == ["a", "b"]


def test_a_study_that_is_moved_while_it_is_written_is_not_written_elsewhere(study: Study, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    with pytest.raises(InputError, match="was moved, renamed or removed while it was being written"), study.lock():
        study.events.emit("teacher", 1, 3)
        os.rename(study.folder, moved)
        study.events.emit("teacher", 2, 3)

    assert not study.folder.exists(), "a ghost of the study stands in its place"
    with Study.open(moved).lock():
        pass
    assert names(moved) == ["a", "b"]


def test_a_study_that_takes_the_place_of_a_moved_one_is_not_written(study: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was moved, renamed or removed"), study.lock():
        os.rename(study.folder, tmp_path / "moved")
        Study.create(study.folder, tmp_path / "first")
        atomic_write_text(study.folder / "run" / "run.json", "{}")

    assert not (study.folder / "run").exists()
