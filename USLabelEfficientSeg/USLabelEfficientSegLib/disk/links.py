"""Links in a study from somebody else: writing through a link would replace a file outside the study."""

import os
import stat
from pathlib import Path

from ..errors import InputError

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe must not wait
_REMEDY = "remove it, or work on a copy of the study that holds the files themselves"


def refuse_links(folder: Path) -> None:
    """Refuse a study with a symbolic link or a junction in it. Raises `InputError` that names it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            refuse_link(Path(entry.path))
            if entry.is_dir(follow_symlinks=False):
                refuse_links(Path(entry.path))


def refuse_link(path: Path) -> None:
    """Refuse a path of a study that is a link. Raises `InputError`."""
    if is_link(path):
        raise _link(path, "is a link, through which files outside of the study could be replaced")


def is_link(path: Path | str) -> bool:
    """Whether a path is a symbolic link or a junction of Windows."""
    return os.path.islink(path) or bool(getattr(os.path, "isjunction", lambda _: False)(path))


def open_in_place(path: Path, flags: int) -> int:
    """Open a study's file that is changed in place, such as the lock, but never through a link; returns its descriptor.

    A hard link is refused as well: it is a second name of the file, which would change with it.

    Raises:
        InputError: a link, or no regular file.
        OSError: as `os.open`.
    """
    refuse_link(path)
    try:
        descriptor = os.open(path, flags | _NO_FOLLOW | getattr(os, "O_BINARY", 0), 0o666)
    except IsADirectoryError:
        raise _link(path, "is a folder where a file is needed") from None
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise _link(path, "has a second name (a hard link), and the file there would be changed with it")
    raise _link(path, "is no regular file")


def _link(path: Path, problem: str) -> InputError:
    return InputError(path, problem, _REMEDY)
