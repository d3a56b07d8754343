"""The journal of a cohort: what has become of each task, a line of JSON each, appended as it is done.

It is what a run is resumed from. The first line tells what was done and how. A line that a killed writer left half
written is cut off; of several lines on a task the last one counts. A task is done when its line holds no failure, its
input files are as they were, and its results are there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import __version__
from ..disk.files import writing
from ..disk.in_use import remove_file, remove_tree
from ..disk.json_files import parse_json
from ..disk.links import open_in_place
from ..disk.lock import try_lock
from ..errors import InputError
from .tasks import Outcome, Row, Task

FORMAT = 1
JOURNAL_SUFFIX = ".journal"
_CHUNK = 1 << 20
Stamp = list[list[int] | None]


@dataclass(frozen=True)
class Entry:
    """A line on a task: its name and file, and what has become of it."""

    name: str
    file: str
    rows: list[Row]
    failure: str | None


@dataclass(frozen=True)
class _Place:
    """Where the last line on a task is, and what it says but for the rows."""

    offset: int
    length: int
    stamp: Stamp
    failed: bool


class Journal:
    """The journal of a table, open for one writer.

    Args:
        table: whose journal it is: the file beside it, `NAME.csv.journal`.
        done_how: the command and all that decides its results; a journal of something else is not continued.

    Raises:
        InputError: on entering: it belongs to another command, options or version, or somebody else is writing it.
    """

    def __init__(self, table: Path, done_how: Mapping[str, Any]) -> None:
        self.path = table.with_name(f"{table.name}{JOURNAL_SUFFIX}")
        self._table = table
        self._heading = {"format": FORMAT, "program": f"uslabelseg {__version__}", **done_how}
        self._places: dict[str, _Place] = {}
        self._descriptor = -1
        self._end = 0
        self._made_folder = False

    def __enter__(self) -> Journal:
        with writing(self._table):
            self._made_folder = not self.path.parent.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = open_in_place(self.path, os.O_RDWR | os.O_CREAT)
        try:
            if not try_lock(self._descriptor):
                raise InputError(self._table, "is being written by another command", "wait for it or stop it")
            self._read()
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        if not self._places:  # a command that was refused leaves nothing
            remove_file(self.path, missing_ok=True)
            if self._made_folder and not any(self.path.parent.iterdir()):
                remove_tree(self.path.parent, ignore_errors=True)

    def is_done(self, task: Task) -> bool:
        """Whether nothing is left to do for a task."""
        place = self._places.get(task.name)
        if place is None or place.failed or place.stamp != _stamp(task):
            return False
        return all(result.exists() for result in task.results)

    def append(self, task: Task, outcome: Outcome) -> None:
        """Add a line. Raises `InputError` when there is no room; half a line is then cut off."""
        stamp = _stamp(task)
        failed = outcome.failure is not None
        entry = {"name": task.name, "file": str(task.file), "stamp": stamp, "rows": outcome.rows}
        line = _line(entry | ({"failure": outcome.failure} if failed else {}))
        offset = self._end
        self._write(line)
        self._places[task.name] = _Place(offset, len(line), stamp, failed)

    def entries(self) -> Iterator[Entry]:
        """The last line of every task, in the order of their names, one at a time."""
        for name in sorted(self._places):
            line = parse_json(self._bytes(self._places[name]))
            yield Entry(line["name"], line["file"], line["rows"], line.get("failure"))

    def remove(self) -> None:
        """Remove it on leaving: nothing will be added to it."""
        self._places.clear()

    def _write(self, line: bytes) -> None:
        with writing(self._table):
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                os.ftruncate(self._descriptor, self._end)
                raise
            self._end += len(line)

    def _read(self) -> None:
        lines = self._lines()
        first = next(lines, None)
        if first is None:
            os.ftruncate(self._descriptor, 0)
            self._write(_line(self._heading))
            return
        self._check(first[1])
        for offset, line in lines:
            try:
                entry = parse_json(line)
                self._places[entry["name"]] = _Place(offset, len(line), entry["stamp"], "failure" in entry)
            except (ValueError, KeyError, TypeError):  # damaged: its task is done again
                continue
        os.ftruncate(self._descriptor, self._end)

    def _check(self, line: bytes) -> None:
        try:
            heading = parse_json(line)
            keys = [key for key in {**heading, **self._heading} if heading.get(key) != self._heading.get(key)]
        except (ValueError, TypeError):
            problem = "is no journal of this program"
            raise InputError(self.path, problem, "remove it, or choose another name for the table") from None
        if keys:
            problem = f"has rows of a run with another {keys[0].replace('_', ' ')}"
            raise InputError(
                self._table, problem, f"write to another place, or remove {self.path} to do all of them again"
            )

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines and their offsets; `_end` is where they end."""
        offset, begun, buffer = 0, 0, b""
        while chunk := self._chunk(offset):
            offset += len(chunk)
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                at, begun = begun, begun + len(line) + 1
                self._end = begun
                yield at, line

    def _chunk(self, offset: int) -> bytes:
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        return os.read(self._descriptor, _CHUNK)

    def _bytes(self, place: _Place) -> bytes:
        os.lseek(self._descriptor, place.offset, os.SEEK_SET)
        line = b""
        while len(line) < place.length and (more := os.read(self._descriptor, place.length - len(line))):
            line += more
        return line


def _line(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, allow_nan=False) + "\n").encode("ascii")


def _stamp(task: Task) -> Stamp:
    """Size and time of the last change of all input files; None where there is no such file."""
    return [_stamp_of(path) for path in (task.file, *task.inputs)]


def _stamp_of(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]
