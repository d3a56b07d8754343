import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from USLabelEfficientSegLib.disk import files
from USLabelEfficientSegLib.disk.files import (
    atomic_write_bytes,
    atomic_write_csv,
    atomic_write_json,
    atomic_write_text,
    remove_temporaries,
    sha256_of,
    temporary_path,
)
from USLabelEfficientSegLib.errors import InputError


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


def test_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "neu" / "größe.json"
    atomic_write_text(path, "old")
    atomic_write_json(path, {"organ": "größer"})
    assert path.read_text(encoding="utf-8") == '{\n  "organ": "größer"\n}\n'
    assert list(path.parent.iterdir()) == [path]


def test_a_table_has_a_line_a_row_and_empty_cells_for_none(tmp_path: Path) -> None:
    atomic_write_csv(tmp_path / "a.csv", [["organ", "ml"], ["Prüfung, links", 1.5], ["none", None]])
    assert (tmp_path / "a.csv").read_bytes().decode() == 'organ,ml\n"Prüfung, links",1.5\nnone,\n'


def test_partial_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:3]))
    atomic_write_bytes(tmp_path / "x", b"0123456789")
    assert (tmp_path / "x").read_bytes() == b"0123456789"


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open"])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EACCES, "no permission to write here; choose another folder"),
        (errno.EROFS, "no permission to write here"),
    ],
)
def test_failed_write_leaves_the_old_file_and_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, message: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(code))
        with pytest.raises(InputError, match=message):
            atomic_write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_errors_are_not_disguised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        atomic_write_bytes(tmp_path / "x", b"new")
    assert list(tmp_path.iterdir()) == []


def test_json_without_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic_write_json(tmp_path / "x", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_only_leftovers_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    kept = [tmp_path / ".DS_Store", tmp_path / "study.json", tmp_path / "labels" / "0123456789abcdef.nrrd"]
    leftovers = [temporary_path(tmp_path), tmp_path / "labels" / ".0123456789abcdef.nrrd"]
    for path in kept + leftovers:
        path.write_bytes(b"")
    remove_temporaries(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_checksum_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_long_and_foreign_names_work(tmp_path: Path) -> None:
    path = tmp_path / ("前立腺" * 28)  # 252 bytes: the temporary file's name must not be longer
    files.atomic_write_bytes(path, b"x")
    assert path.read_bytes() == b"x"


def test_a_name_in_a_table_is_no_formula_and_a_number_stays_one(tmp_path: Path) -> None:
    atomic_write_csv(tmp_path / "t.csv", [["case", "volume_ml"], ["=1+1", "-2.5"], ["a\x1b[2J", -3]])

    assert (tmp_path / "t.csv").read_text() == "case,volume_ml\n'=1+1,-2.5\na\\x1b[2J,-3\n"
