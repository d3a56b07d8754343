"""One writer at a time: a lock file that the system frees when its process dies, however it dies."""

import errno
import json
import os
import socket
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import InputError
from .files import writing
from .json_files import parse_json
from .links import open_in_place

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

SECONDS_TO_LOCK = 60.0  # what is just being made has no lock, or nobody's, for a moment
_LOOKS, _SECONDS_A_LOOK = 5, 0.01  # `holder_of` holds the lock for less
_WINDOWS_LOCKED_BYTE = 1 << 30  # far behind the text, which other processes must be able to read


@dataclass(frozen=True)
class Holder:
    """Who is writing a study.

    Attributes:
        pid: number of the process.
        host: name of its computer.
    """

    pid: int
    host: str

    @property
    def is_here(self) -> bool:
        """Whether the process runs on this computer."""
        return self.host == socket.gethostname()


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock file of a study now, None when nobody does. A text from another computer is believed."""
    try:
        try:
            descriptor = open_in_place(path, os.O_RDWR)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EROFS):
                raise
            descriptor = open_in_place(path, os.O_RDONLY)  # of a study that may only be read
    except FileNotFoundError:
        return None
    try:
        told = _read_holder(descriptor)
        if not told:
            return None
        holder = Holder(told["pid"], told["host"])
        if holder.is_here and try_lock(descriptor):  # its process died
            _unlock(descriptor)
            return None
        return holder
    finally:
        os.close(descriptor)


def was_left(path: Path) -> bool:
    """Whether the holder of a lock file has died, however early. A text from another computer is believed.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is a link, or no regular file.
    """
    descriptor = open_in_place(path, os.O_RDWR)
    try:
        if not try_lock(descriptor):
            return False
        holder, changed = _read_holder(descriptor), os.fstat(descriptor).st_mtime
        _unlock(descriptor)
    finally:
        os.close(descriptor)
    if not holder:  # left without a word, or just being made
        return time.time() - changed > SECONDS_TO_LOCK
    return Holder(holder["pid"], holder["host"]).is_here


class StudyLock:
    """Context manager that makes this process the only writer of a study.

    The lock itself is the operating system's (flock, or a locked byte on Windows), so it cannot outlive its
    process, be taken twice in a race or be confused by a reused process number. The file's text says who
    holds it. A study on a shared drive is the exception: the system's lock may not reach other hosts, so a
    text left by another host is believed.

    Raises `InputError` on entering while another process, or this one, holds the lock.
    """

    def __init__(self, path: Path, study: Path) -> None:
        self._path = path
        self._study = study
        self._descriptor: int | None = None

    def __enter__(self) -> "StudyLock":
        with writing(self._study):  # which the user knows, unlike the lock
            descriptor = open_in_place(self._path, os.O_RDWR | os.O_CREAT)
        try:
            try:
                free = _taken(descriptor)
            except OSError as error:
                problem = f"cannot be locked ({error.strerror})"
                raise InputError(self._study, problem, "move it to a disk that supports file locks") from error
            if not free:
                raise self._held_by(_read_holder(descriptor))
            holder = _read_holder(descriptor)
            if holder.get("host", socket.gethostname()) != socket.gethostname():
                _unlock(descriptor)
                raise self._left_by(holder)
            me = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            with writing(self._study):
                _write_text(descriptor, json.dumps(me))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            # Emptied, not removed: else a third process could lock a new file beside a second one's old one.
            os.ftruncate(self._descriptor, 0)
            _unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def verify(self) -> None:
        """Refuse to go on when the lock's file is no longer where it was: the study was moved. Raises `InputError`."""
        assert self._descriptor is not None
        try:
            there = os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except OSError:
            there = False
        if not there:
            raise InputError(
                f"study {self._study}",
                "was moved, renamed or removed while it was being written",
                "start again with its new folder, where everything that was saved is",
            )

    def _held_by(self, holder: dict[str, Any]) -> InputError:
        process = f"process {holder.get('pid', 'unknown')} on host {holder.get('host', socket.gethostname())}"
        return InputError(f"study {self._study}", f"is being written by {process}", "wait for it or cancel it")

    def _left_by(self, holder: dict[str, Any]) -> InputError:
        return InputError(
            f"study {self._study}",
            f"is being written by process {holder.get('pid', 'unknown')} on host {holder['host']} since "
            f"{holder.get('since', 'an unknown time')}, which cannot be checked from here",
            f"wait for it, or delete {self._path} if it no longer runs",
        )


def _taken(descriptor: int) -> bool:
    """Lock a file, also where somebody asks at the same moment who holds it; whether it could be had."""
    for _ in range(_LOOKS):
        if try_lock(descriptor):
            return True
        time.sleep(_SECONDS_A_LOOK)
    return False


def _read_holder(descriptor: int) -> dict[str, Any]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        holder = parse_json(os.read(descriptor, 4096))
    except ValueError:  # empty: free, or its holder is just writing
        return {}
    if not isinstance(holder, dict) or type(holder.get("pid")) is not int or not isinstance(holder.get("host"), str):
        return {}  # damaged: the system knows whether it is held
    return holder


def _write_text(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.encode("utf-8"))
    os.fsync(descriptor)


if sys.platform == "win32":

    def try_lock(descriptor: int) -> bool:
        """Lock an open file for this process, without waiting; whether it could be had."""
        os.lseek(descriptor, _WINDOWS_LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _WINDOWS_LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def try_lock(descriptor: int) -> bool:
        """Lock an open file for this process, without waiting; whether it could be had."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
