"""A study from somebody else leads no writing out of its folder."""

import os
from pathlib import Path

import numpy as np
import pytest

from USLabelEfficientSegLib.disk.lock import holder_of
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.study.study import Study

GRID = Geometry((4, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "images").mkdir()
    voxels = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
    write_volume(tmp_path / "images" / "a.nrrd", Scan(voxels, GRID, "a"))
    return Study.create(tmp_path / "study", tmp_path / "images")


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    (tmp_path / "other").mkdir()
    path = tmp_path / "other" / "model.safetensors"
    path.write_text("precious")
    return path


@pytest.mark.parametrize(
    "place", ["lock", "study.json", "run/events.jsonl", "run/model.safetensors", "images/a.nrrd", "preview/now.nrrd"]
)
def test_a_link_in_a_study_is_refused_when_it_is_opened_for_writing(study: Study, precious: Path, place: str) -> None:
    link = study.folder / place
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(precious)

    with pytest.raises(InputError, match="is a link, through which files"), study.lock():
        study.events.emit("teacher", 1, 2)

    assert precious.read_text() == "precious"


@pytest.mark.parametrize("place", ["run", "labels", "run/pseudo_labels", "new_labels"])
def test_a_linked_folder_in_a_study_is_refused(study: Study, precious: Path, place: str) -> None:
    link = study.folder / place
    link.parent.mkdir(exist_ok=True)
    if link.is_dir():
        link.rmdir()
    link.symlink_to(precious.parent, target_is_directory=True)

    with pytest.raises(InputError, match=f"{place}: is a link"), study.lock():
        pass

    assert [path.name for path in precious.parent.iterdir()] == ["model.safetensors"]


def test_events_are_written_through_no_link_even_without_a_lock(study: Study, precious: Path) -> None:
    (study.folder / "run").mkdir()
    study.events.path.symlink_to(precious)
    with pytest.raises(InputError, match="is a link"):
        study.events.emit("teacher", 1, 2)

    study.events.path.unlink()
    (study.folder / "run").rmdir()
    (study.folder / "run").symlink_to(precious.parent, target_is_directory=True)
    with pytest.raises(InputError, match="is a link"):
        study.events.emit("teacher", 1, 2)

    assert precious.read_text() == "precious" and len(list(precious.parent.iterdir())) == 1


@pytest.mark.parametrize("place", ["lock", "run/events.jsonl"])
def test_a_file_that_is_written_in_place_may_have_no_second_name(study: Study, precious: Path, place: str) -> None:
    path = study.folder / place
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.link(precious, path)

    with pytest.raises(InputError, match="has a second name"), study.lock():
        study.events.emit("teacher", 1, 2)

    assert precious.read_text() == "precious"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("place", ["lock", "run/events.jsonl"])
def test_a_pipe_in_a_study_does_not_wait_for_ever(study: Study, place: str) -> None:
    path = study.folder / place
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)

    with pytest.raises(InputError, match="is no regular file"), study.lock():
        study.events.emit("teacher", 1, 2)


def test_who_holds_a_lock_is_asked_through_no_link(study: Study, precious: Path) -> None:
    (study.folder / "lock").unlink(missing_ok=True)
    (study.folder / "lock").symlink_to(precious)
    with pytest.raises(InputError, match="is a link"):
        holder_of(study.folder / "lock")


def test_links_outside_of_a_study_do_not_matter(study: Study, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(study.folder, target_is_directory=True)
    opened = Study.open(tmp_path / "way")
    with opened.lock():
        opened.events.emit("teacher", 1, 2)
    assert study.events.path.exists()
