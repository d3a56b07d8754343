"""A study in the making is hidden until it is complete; leftovers of killed makers are found and removed later.

It is built in a hidden folder, `.uslabelseg-` and a random number, and its maker holds the folder's `lock`. The system
frees that lock when the process dies, however it dies, so a free lock marks a leftover.
"""

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..disk.files import sync_folder, writing
from ..disk.in_use import is_in_use, remove_file, remove_tree, rename
from ..disk.links import is_link
from ..disk.lock import SECONDS_TO_LOCK, StudyLock, was_left
from ..disk.study_layout import IMAGES, LABELS, LOCK_NAME, MANIFEST_NAME
from ..errors import InputError

_BUILDING = re.compile(r"\.uslabelseg-[0-9a-f]{16}")
_EARLIER = re.compile(r"\.[0-9a-f]{16}")
_FOLDERS = (IMAGES, LABELS)
_NOT_FREE = (errno.ENOTEMPTY, errno.EEXIST)
_SECONDS_TO_MAKE = 86_400.0  # far more than it ever took


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """An empty hidden folder that becomes the study `target` when the block ends well, and is removed otherwise.

    It lies beside `target`, or in it if `target` exists (an empty folder, a mount point, or a link to one).
    Raises `InputError` when it cannot be made.
    """
    inside = target.exists()
    parent = target if inside else target.parent
    with writing(target):
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / f".uslabelseg-{secrets.token_hex(8)}"
        folder.mkdir()
    try:
        with writing(target), ExitStack() as held:
            held.enter_context(StudyLock(folder / LOCK_NAME, target))  # the study's own: left behind, it does no harm
            yield folder
            if inside:
                for name in (*_FOLDERS, MANIFEST_NAME):  # the manifest, which makes it a study, comes last
                    rename(folder / name, target / name)
            else:
                _rename(folder, target, held)
                held.close()
                remove_file(target / LOCK_NAME)
            sync_folder(parent)
    except BaseException:
        if inside:
            _take_back(folder, target)
        raise
    finally:
        remove_tree(folder, ignore_errors=True)


def remove_leftovers(target: Path) -> list[Path]:
    """Remove leftovers of killed makers of studies beside `target` or in it; returns the removed hidden folders."""
    removed = []
    for parent in dict.fromkeys((target, target.parent)):
        try:
            found = [entry for entry in parent.iterdir() if entry.name.startswith(".") and not is_link(entry)]
        except OSError:  # no such folder, or one that cannot be read
            continue
        for folder in found:
            left = _is_left if _BUILDING.fullmatch(folder.name) else _is_of_an_earlier_version
            if not folder.is_dir() or not left(folder):
                continue
            if parent == target:
                _take_back(folder, target)
            remove_tree(folder, ignore_errors=True)
            if not folder.exists():
                removed.append(folder)
    return removed


def _rename(folder: Path, target: Path, held: ExitStack) -> None:
    try:
        try:
            os.rename(folder, target)
        except OSError as error:
            if not is_in_use(error):
                raise
            held.close()  # Windows renames no folder with an open file, such as its own lock
            rename(folder, target)
    except OSError as error:
        if error.errno in _NOT_FREE:
            problem = "was made by another program in the meantime"
            raise InputError(target, problem, "choose another folder for the new study") from error
        raise


def _is_left(folder: Path) -> bool:
    """Whether its maker has died."""
    try:
        return was_left(folder / LOCK_NAME)
    except FileNotFoundError:
        return not any(folder.iterdir()) and time.time() - folder.stat().st_mtime > SECONDS_TO_LOCK
    except (InputError, OSError):
        return False


def _is_of_an_earlier_version(folder: Path) -> bool:
    """Whether a hidden folder is a leftover of an earlier version, which locked nothing."""
    if not _EARLIER.fullmatch(folder.name) or time.time() - folder.stat().st_mtime < _SECONDS_TO_MAKE:
        return False
    names = {entry.name for entry in folder.iterdir()}
    return set(_FOLDERS) <= names <= {*_FOLDERS, MANIFEST_NAME}


def _take_back(folder: Path, target: Path) -> None:
    """Remove from `target` all that was moved from a hidden folder without its manifest."""
    if (folder / MANIFEST_NAME).exists():
        for name in _FOLDERS:
            if not (folder / name).exists():
                remove_tree(target / name, ignore_errors=True)
