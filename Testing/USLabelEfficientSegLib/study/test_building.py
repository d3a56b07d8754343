"""Where a study can be made, and what is left when its making fails or is killed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.study import creation
from USLabelEfficientSegLib.study.building import remove_leftovers
from USLabelEfficientSegLib.study.study import Study

GRID = Geometry((4, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
KILLED = """
import os, signal, sys
from pathlib import Path
from USLabelEfficientSegLib.study import building, creation
from USLabelEfficientSegLib.study.study import Study
where, stop = sys.argv[3], sys.argv[4]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if stop == "stored":
    creation.write_manifest = die
else:
    rename = os.rename
    def dying(source, to):
        die() if Path(source).name == stop or stop == "rename" else rename(source, to)
    building.os.rename = dying
Study.create(Path(where), Path(sys.argv[1]))
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    voxels = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
    for name in ("a", "b"):
        write_volume(folder / f"{name}.nrrd", Scan(voxels, GRID, name))
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def kill_create(images: Path, study: Path, stop: str) -> None:
    root = str(Path(USLabelEfficientSegLib.__file__).parent.parent)
    command = [sys.executable, "-c", KILLED, str(images), "", str(study), stop]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, check=False).returncode == -9


@pytest.mark.parametrize("stop", ["stored", "rename"])
def test_copies_of_a_killed_create_are_removed_by_the_next(tmp_path: Path, images: Path, stop: str) -> None:
    kill_create(images, tmp_path / "work" / "study", stop)
    (left,) = (tmp_path / "work").iterdir()
    assert (left / "images" / "a.nrrd").exists(), "nothing was there to be removed"

    study = Study.create(tmp_path / "work" / "other", images)

    assert names(tmp_path / "work") == {"other"}
    assert [case.name for case in study.cases] == ["a", "b"]


@pytest.mark.parametrize("stop", ["stored", "images", "labels", "study.json"])
def test_an_empty_folder_in_which_create_was_killed_is_empty_for_the_next(
    tmp_path: Path, images: Path, stop: str
) -> None:
    (tmp_path / "study").mkdir()
    kill_create(images, tmp_path / "study", stop)
    assert names(tmp_path / "study"), "nothing was there to be removed"

    assert len(remove_leftovers(tmp_path / "study")) == 1

    assert names(tmp_path / "study") == set()
    assert len(Study.create(tmp_path / "study", images).cases) == 2


def test_a_study_in_the_making_is_no_leftover(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(folder, manifest) -> None:
        seen.append(remove_leftovers(tmp_path / "study"))
        assert (folder / "images" / "a.nrrd").exists()
        write(folder, manifest)

    write = creation.write_manifest
    monkeypatch.setattr(creation, "write_manifest", look)

    Study.create(tmp_path / "study", images)

    assert seen == [[]]


@pytest.mark.parametrize("kind", ["no words", "cut words"])
def test_a_study_whose_maker_has_not_yet_said_who_it_is_stays_for_a_minute(tmp_path: Path, kind: str) -> None:
    lock = tmp_path / ".uslabelseg-0123456789abcdef" / "lock"
    lock.parent.mkdir()
    lock.write_text("" if kind == "no words" else '{"pid": 1')

    assert remove_leftovers(tmp_path / "study") == []

    os.utime(lock, (0, 0))
    assert remove_leftovers(tmp_path / "study") == [lock.parent]


def test_a_full_disk_is_told_of_the_study_and_not_of_a_hidden_file(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("USLabelEfficientSegLib.disk.lock.os.fsync", full)

    with pytest.raises(InputError) as refused:
        Study.create(tmp_path / "study", images)

    assert str(refused.value) == f"{tmp_path / 'study'}: the disk is full; free some space and start again."
    assert names(tmp_path) == {"images"}


def test_what_others_hide_beside_a_study_stays(tmp_path: Path, images: Path) -> None:
    for name in (".git", ".0123456789abcdef", ".uslabelseg-notes"):
        (tmp_path / name).mkdir()
    Study.create(tmp_path / "study", images)
    assert names(tmp_path) == {".git", ".0123456789abcdef", ".uslabelseg-notes", "images", "study"}


def test_what_a_killed_create_of_an_earlier_version_left_is_removed_after_a_day(tmp_path: Path, images: Path) -> None:
    for name in (".00112233445566aa", ".00112233445566bb", ".00112233445566cc"):
        for kind in ("images", "labels"):
            (tmp_path / name / kind).mkdir(parents=True)
    (tmp_path / ".00112233445566cc" / "notes.txt").write_text("mine")
    for name in (".00112233445566aa", ".00112233445566cc"):
        os.utime(tmp_path / name, (0, 0))

    assert remove_leftovers(tmp_path / "study") == [tmp_path / ".00112233445566aa"]

    assert names(tmp_path) == {".00112233445566bb", ".00112233445566cc", "images"}


def test_a_study_can_be_made_in_the_folder_where_one_is(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    before = (tmp_path / "here").stat().st_ino
    monkeypatch.chdir(tmp_path / "here")

    Study.create(Path("."), images)

    assert names(tmp_path / "here") == {"images", "labels", "study.json"}
    assert (tmp_path / "here").stat().st_ino == before, "another folder stands in its place"
    assert len(Study.open(tmp_path / "here").cases) == 2


def test_a_study_can_be_made_in_an_empty_folder_that_cannot_be_replaced(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a mount point: it can be neither removed nor renamed over."""
    (tmp_path / "disk").mkdir()

    def busy(self: Path) -> None:
        raise OSError(16, "Device or resource busy", str(self))

    monkeypatch.setattr(Path, "rmdir", busy)

    assert len(Study.create(tmp_path / "disk", images).cases) == 2


def test_a_study_can_be_made_and_used_through_a_link(tmp_path: Path, images: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "study").symlink_to(tmp_path / "disk", target_is_directory=True)

    study = Study.create(tmp_path / "study", images)

    assert (tmp_path / "study").is_symlink()
    assert names(tmp_path / "disk") == {"images", "labels", "study.json"}
    with study.lock():
        assert len(study.cases) == 2


@pytest.mark.parametrize("kind", ["link to nothing", "link to file", "file", "below a file", "full"])
def test_where_no_study_can_be_made_is_said_before_anything_is_read(
    tmp_path: Path, images: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "study"
    (tmp_path / "file").write_text("mine")
    if kind == "link to nothing":
        target.symlink_to(tmp_path / "nowhere")
    elif kind == "link to file":
        target.symlink_to(tmp_path / "file")
    elif kind == "file":
        target.write_text("mine")
    elif kind == "below a file":
        target = tmp_path / "file" / "study"
    else:
        target.mkdir()
        (target / "notes.txt").write_text("mine")
    monkeypatch.setattr(creation, "_examine", lambda *_: pytest.fail("read before it was refused"))

    with pytest.raises(InputError, match=r"is a link to nothing|is not an empty folder|is a file"):
        Study.create(target, images)

    assert (tmp_path / "file").read_text() == "mine"


def test_a_study_that_another_made_meanwhile_stays(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = creation.write_manifest

    def overtaken(folder, manifest) -> None:
        write(folder, manifest)
        (tmp_path / "study").mkdir()
        (tmp_path / "study" / "study.json").write_text("of another")

    monkeypatch.setattr(creation, "write_manifest", overtaken)

    with pytest.raises(InputError, match="was made by another program in the meantime"):
        Study.create(tmp_path / "study", images)

    assert (tmp_path / "study" / "study.json").read_text() == "of another"
    assert names(tmp_path) == {"images", "study"}
