"""Whoever has a file open for a moment is waited for; every other error comes at once."""

import ast
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.disk import in_use
from USLabelEfficientSegLib.disk.files import atomic_write_text
from USLabelEfficientSegLib.disk.in_use import remove_file, remove_tree, rename, replace_file
from USLabelEfficientSegLib.disk.json_files import read_json
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_volume, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan

LIBRARY = Path(USLabelEfficientSegLib.__file__).parent
SHARING = 32
VOXELS = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)


def windows_error(code: int, number: int = errno.EACCES) -> OSError:
    """An error as Windows raises it."""
    error: Any = PermissionError(number, "The process cannot access the file because it is being used")
    error.winerror = code
    return error


def refused(act: Callable[..., Any], times: int, error: OSError) -> Callable[..., Any]:
    """`act`, which fails so many times before it works."""
    failures = iter([error] * times)

    def call(*arguments: Any, **options: Any) -> Any:
        for failure in failures:
            raise failure
        return act(*arguments, **options)

    return call


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, on a clock that only they move on."""
    pauses: list[float] = []
    # A clock of its own: `time` is everybody's, and threads of other tests sleep, too.
    monkeypatch.setattr(in_use, "time", SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses)))
    return pauses


@pytest.mark.parametrize("code", [5, 32, 33, 1224])
def test_a_file_in_use_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, waited: list[float]
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", refused(os.replace, 7, windows_error(code)))

    atomic_write_text(path, "new")

    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
    assert waited == [0.01, 0.02, 0.04, 0.08, 0.16, 0.25, 0.25]


def test_files_and_folders_in_use_are_renamed_and_removed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "c").mkdir(parents=True)
    (tmp_path / "file").touch()
    for module, call in ((os, "rename"), (os, "unlink"), (shutil, "rmtree")):
        monkeypatch.setattr(module, call, refused(getattr(module, call), 3, windows_error(SHARING)))

    rename(tmp_path / "a", tmp_path / "d")
    remove_file(tmp_path / "file")
    remove_tree(tmp_path / "b")

    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_waiting_ends_and_the_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    path = tmp_path / "a.nrrd"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", refused(os.replace, 1000, windows_error(SHARING)))
    scan = Scan(VOXELS, Geometry((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), "a")

    with pytest.raises(InputError, match=r"another program has it open.*; close it there"):
        atomic_write_text(path, "new")
    with pytest.raises(InputError, match=r"being used.*; close the file in other programs"):
        write_volume(path, scan)

    assert 2 * in_use.SECONDS_TO_WAIT <= sum(waited) < 2 * in_use.SECONDS_TO_WAIT + 1
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.ENOENT])
def test_other_errors_come_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, waited: list[float]
) -> None:
    monkeypatch.setattr(os, "replace", refused(os.replace, 1, OSError(number, os.strerror(number))))

    with pytest.raises(OSError, match=os.strerror(number)):
        replace_file(tmp_path / "a", tmp_path / "b")
    assert waited == []


def test_what_cannot_go_stays_where_leftovers_are_swept_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "held").touch()
    (folder / "free").touch()
    unlink = os.unlink

    def held(path: Any, **options: Any) -> None:
        if str(path).endswith("held"):
            raise windows_error(SHARING)
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", held)
    with pytest.raises(PermissionError):
        remove_tree(folder)
    remove_tree(folder, ignore_errors=True)

    assert [path.name for path in folder.iterdir()] == ["held"]


def test_readers_wait_for_whoever_is_just_replacing_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atomic_write_text(tmp_path / "a.json", "[1]")
    volume = Scan(VOXELS, Geometry((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), "a")
    write_volume(tmp_path / "a.nrrd", volume)
    monkeypatch.setattr(Path, "open", refused(Path.open, 2, windows_error(SHARING)))
    monkeypatch.setattr(os, "open", refused(os.open, 2, windows_error(SHARING)))

    assert read_json(tmp_path / "a.json") == [1]
    assert (read_volume(tmp_path / "a.nrrd").voxels == volume.voxels).all()


def calls(path: Path) -> Iterator[tuple[str, str, ast.Call]]:
    """The calls in a module: of what, by which name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            owner, _, name = ast.unparse(node.func).rpartition(".")
            yield owner, name, node


def changes_files(owner: str, name: str, call: ast.Call) -> bool:
    """Whether a call replaces, renames or removes files; texts and dates are replaced, too."""
    if name == "TemporaryDirectory":
        return all(word.arg != "ignore_cleanup_errors" for word in call.keywords)
    of_path = owner not in ("", "os") and len(call.args) == 1 and not isinstance(call.args[0], ast.Starred)
    return (owner != "" and name in ("unlink", "rmtree", "rmdir", "removedirs", "renames")) or (
        name in ("replace", "rename", "remove") and (owner == "os" or (of_path and name != "remove"))
    )


def test_nothing_is_replaced_or_removed_in_another_way() -> None:
    """A call that does not wait would end a training on Windows."""
    found = [
        f"{path.relative_to(LIBRARY).as_posix()}: {ast.unparse(call)}"
        for path in sorted(LIBRARY.rglob("*.py"))
        for owner, name, call in calls(path)
        if path != LIBRARY / "disk" / "in_use.py" and changes_files(owner, name, call)
    ]

    assert found == [
        # Slicer's event loop must not wait, and a log that stays does no harm.
        "slicer_side/processes/resident_worker.py: self._file(suffix).unlink(missing_ok=True)",
        # A folder that may hold its own lock: it is freed first, and then the rename waits.
        "study/building.py: os.rename(folder, target)",
    ]
