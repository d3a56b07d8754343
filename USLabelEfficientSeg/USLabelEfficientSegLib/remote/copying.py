"""Files between this computer and another one: each arrives whole, and a copy that was cut goes on where it ended.

What is the same on both sides is told by SHA-256, not by times, so a copy is either equal or made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from ..disk.files import sha256_of, writing
from ..disk.in_use import remove_file, replace_file
from ..errors import InputError
from .connection import Connection

_CHUNK = 1 << 18
_REQUESTS_AT_ONCE = 64


def send(connection: Connection, source: Path, target: PurePosixPath, digest: str, step: Callable[[], None]) -> None:
    """Copy a file there, over an earlier one.

    Args:
        connection: to the other computer.
        source: the file here.
        target: its place there; the folder exists.
        digest: SHA-256 of the file.
        step: called before each piece; it may raise to stop.

    Raises:
        InputError: no permission to write there, or no room.
    """
    part, size = target.with_name(f".{target.name}.{digest[:16]}.part"), source.stat().st_size

    def go_on() -> None:
        with connection.files() as files:
            done = _size_there(files, part)
            # At places of its own, not at the end: the server may still be writing what came before the cut.
            mode = "r+b" if 0 < done <= size else "wb"
            with source.open("rb") as reader, files.open(str(part), mode) as writer:
                for file in (reader, writer):
                    file.seek(done if done <= size else 0)
                writer.set_pipelined(True)
                while piece := reader.read(_CHUNK):
                    step()
                    writer.write(piece)
            if _size_there(files, part) != size:
                raise OSError("the file is shorter than what was sent")
            files.posix_rename(str(part), str(target))

    try:
        connection.insist(go_on)
    except OSError as error:
        problem = f"cannot be written there ({error.strerror or error})"
        raise InputError(
            f"{connection.address.host}:{target}", problem, "free some space or ask for permission"
        ) from error


def fetch(connection: Connection, source: PurePosixPath, target: Path, digest: str, step: Callable[[], None]) -> Path:
    """Copy a file from there beside its place here; the caller puts it in its place. Arguments as for `send`.

    Returns:
        The whole file, under a hidden name in the folder of `target`.

    Raises:
        InputError: no permission to write here, or no room; the file was changed there meanwhile.
    """
    part = target.with_name(f".{target.name}.{digest[:16]}.part")

    def go_on() -> None:
        with connection.files() as files, writing(part), part.open("ab") as writer:
            size, done = files.stat(str(source)).st_size, writer.tell()
            with files.open(str(source), "rb") as reader:
                reader.seek(done)
                reader.prefetch(size, _REQUESTS_AT_ONCE)
                while piece := reader.read(_CHUNK):
                    step()
                    writer.write(piece)

    with writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # told below, like every other change
        connection.insist(go_on)
    if not part.is_file() or sha256_of(part) != digest:
        remove_file(part, missing_ok=True)
        place = f"{connection.address.host}:{source}"
        raise InputError(place, "was changed while it was copied", "give the same command again")
    return part


def put_in_place(parts: Mapping[Path, Path], last: Iterable[str]) -> None:
    """Move fetched files to their places, `{place: file}`; those whose names are in `last` come last."""
    late = list(last)
    for target in sorted(parts, key=lambda path: (late.index(path.name) if path.name in late else -1, path)):
        with writing(target):
            replace_file(parts[target], target)


def _size_there(files: Any, path: PurePosixPath) -> int:
    try:
        return int(files.stat(str(path)).st_size)
    except FileNotFoundError:
        return 0
