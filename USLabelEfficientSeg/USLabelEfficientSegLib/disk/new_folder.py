"""A folder of results that is whole or not there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from .files import sync_folder, writing
from .in_use import remove_tree, rename
from .outputs import refuse_study


def refuse_existing(folder: Path) -> None:
    """Raise `InputError` for a place that is inside a study, or that holds something."""
    refuse_study(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(folder, "exists already", "choose the name of a new folder")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder that becomes `folder` when the block ends well, and is removed otherwise.

    Raises:
        InputError: as `refuse_existing`, and no room or permission to write.
    """
    refuse_existing(folder)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        hidden = folder.parent / f".{secrets.token_hex(8)}"
        hidden.mkdir()
    try:
        with writing(folder):
            yield hidden
            refuse_existing(folder)
            if folder.exists():
                remove_tree(folder)
            rename(hidden, folder)
            sync_folder(folder.parent)
    finally:
        remove_tree(hidden, ignore_errors=True)
