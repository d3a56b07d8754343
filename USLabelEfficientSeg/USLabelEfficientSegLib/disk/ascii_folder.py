"""A temporary folder that libraries find whatever the user is called.

ITK opens files by 8-bit names. On Windows these are of the code page of the process, which for Python is rarely UTF-8:
a file below `C:\\Users\\Jürgen` is not found. Only what this program does not decode itself goes that way.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


@contextmanager
def ascii_folder() -> Iterator[Path]:
    """An empty folder that only this user may look into, whose path has ASCII letters alone; removed at the end.

    It is made in the user's temporary folder or, where the name of that has other letters, in its short name (8.3), or
    where the system keeps what users share.

    Raises:
        InputError: none of these can be used.
    """
    with tempfile.TemporaryDirectory(dir=_place(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _place() -> str:
    temporary = tempfile.gettempdir()
    for place in (temporary, _short_name(temporary), *_shared()):
        if place.isascii() and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            return place
    variable, example = ("TEMP", "C:\\Temp") if sys.platform == "win32" else ("TMPDIR", "/tmp")
    raise InputError(
        Path(temporary),
        "is a temporary folder whose name has letters beyond A to Z, in which compressed images cannot be decoded",
        f"set the environment variable {variable} to a folder such as {example} and start again, or export the images "
        "without compression",
    )


if sys.platform == "win32":
    import ctypes

    def _short_name(path: str) -> str:
        """The name of a folder in eight letters a part, where the disk keeps such names; else as it is."""
        buffer = ctypes.create_unicode_buffer(1024)
        length = ctypes.windll.kernel32.GetShortPathNameW(path, buffer, len(buffer))
        return buffer.value if 0 < length < len(buffer) else path

    def _shared() -> tuple[str, ...]:
        return os.environ.get("PROGRAMDATA", ""), os.environ.get("PUBLIC", "")

else:

    def _short_name(path: str) -> str:
        return path

    def _shared() -> tuple[str, ...]:
        return "/tmp", "/var/tmp"
