"""Atomic writes: a reader sees the old file or the new one, never half of it, whatever happens in between."""

import csv
import errno
import hashlib
import io
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..text.display import csv_cell
from .in_use import is_in_use, remove_file, remove_tree, replace_file

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}(\..*)?")  # imaging/file_formats/writing.py names its own the same way

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


_guards: dict[Path, Callable[[], None]] = {}  # of folders that this process writes


@contextmanager
def guarded(folder: Path, check: Callable[[], None]) -> Iterator[None]:
    """Call `check`, which may raise, before anything in `folder` is written."""
    _guards[folder] = check
    try:
        yield
    finally:
        del _guards[folder]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn "disk full", "in use" and "no permission" while writing `path` into an `InputError`; other errors pass."""
    for folder, check in tuple(_guards.items()):
        if path.is_relative_to(folder):
            check()
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise InputError(path, "the disk is full", "free some space and start again") from error
        if is_in_use(error):
            raise InputError(
                path,
                "cannot be written: another program has it open, or there is no permission",
                "close it there, or choose a folder that you may write to",
            ) from error
        if error.errno in _DENIED:
            raise InputError(
                path, "no permission to write here", "choose another folder or ask for write permission"
            ) from error
        raise


def make_folder(folder: Path) -> None:
    """Make a folder of a study, but never the study itself: it may have been moved. Raises `InputError` if it was."""
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        problem = "is not there any more: the study was moved, renamed or removed while it was being written"
        raise InputError(folder.parent, problem, "start again with its new folder") from None


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` by way of a temporary file in the same folder: write, fsync, rename.

    Raises `InputError` when the disk is full or the folder cannot be written; `path` is then unchanged.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(path.parent)
        try:
            _write_synced(temporary, data)
            replace_file(temporary, path)
        except BaseException:
            remove_file(temporary, missing_ok=True)
            raise
        sync_folder(path.parent)


def atomic_write_text(path: Path, text: str) -> None:
    """`atomic_write_bytes` for text, as UTF-8."""
    atomic_write_bytes(path, text.encode("utf-8"))


def atomic_write_json(path: Path, value: Any) -> None:
    """`atomic_write_bytes` for a JSON value, indented for human readers. `InputError` for NaN and infinity."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        problem = f"would hold a number that is not finite ({error})"
        raise InputError(path, problem, "check the image and the model that it is computed from") from error
    atomic_write_text(path, text + "\n")


def atomic_write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """`atomic_write_bytes` for a table of comma-separated cells, a line a row; None becomes an empty cell.

    Texts are those of `csv_cell`: a spreadsheet takes none of them for a formula.
    """
    text = io.StringIO()
    cells = ([csv_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    csv.writer(text, lineterminator="\n").writerows(cells)
    atomic_write_text(path, text.getvalue())


def temporary_path(folder: Path, suffix: str = "") -> Path:
    """A new name in `folder` that `remove_temporaries` recognises."""
    return folder / f".{secrets.token_hex(8)}{suffix}"


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed writer left anywhere under `folder`. Only for the holder of the study's lock."""
    for path in tuple(folder.rglob(".*")):
        if not _TEMPORARY.fullmatch(path.name):
            continue
        if path.is_dir():
            remove_tree(path, ignore_errors=True)
        else:
            remove_file(path, missing_ok=True)  # the panel, which needs no lock, may just have given it its name


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_synced(path: Path, data: bytes) -> None:
    # Not tempfile.mkstemp: its files are private to the user, a study is often shared.
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
