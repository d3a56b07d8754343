"""Replacing, renaming and removing files that somebody else has open for a moment.

Windows refuses this while a reader, a virus scanner or a search index has the file open, or a file in the folder. They
close it again within a second or so: every such call of this program waits for them. Elsewhere the system never refuses
for this reason, and nothing is waited for.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SECONDS_TO_WAIT = 5.0  # for whoever has the file open
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
# https://learn.microsoft.com/windows/win32/debug/system-error-codes: access denied (also: in use), sharing violation,
# lock violation, directory not empty (a file in it is about to go), mapped into memory.
_IN_USE = (5, 32, 33, 145, 1224)


def replace_file(source: Path, target: Path) -> None:
    """`os.replace`, which waits for those who have one of the files open."""
    patiently(lambda: os.replace(source, target))


def rename(source: Path, target: Path) -> None:
    """`os.rename`, which waits for those who have a file open in a folder that is renamed."""
    patiently(lambda: os.rename(source, target))


def remove_file(path: Path, missing_ok: bool = False) -> None:
    """`Path.unlink`, which waits for those who have the file open."""
    patiently(lambda: path.unlink(missing_ok))


def remove_tree(folder: Path, ignore_errors: bool = False) -> None:
    """`shutil.rmtree`, which waits for those who have a file of the folder open."""
    try:
        patiently(lambda: shutil.rmtree(folder))
    except OSError:
        if not ignore_errors:
            raise
        shutil.rmtree(folder, ignore_errors=True)  # all but what cannot go


def patiently(act: Callable[[], T]) -> T:
    """What `act` returns; as long as it fails because a file is in use, it is called again, for some seconds.

    Raises:
        OSError: as `act`; of a file in use the last one.
    """
    until, pause = time.monotonic() + SECONDS_TO_WAIT, _FIRST_PAUSE
    while True:
        try:
            return act()
        except OSError as error:
            if not is_in_use(error) or time.monotonic() >= until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def is_in_use(error: OSError) -> bool:
    """Whether Windows refuses because somebody has the file open; "access denied" may also be a missing permission."""
    return getattr(error, "winerror", None) in _IN_USE
