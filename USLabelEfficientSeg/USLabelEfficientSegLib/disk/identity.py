"""Whether a file is still the one that was read."""

import os
from pathlib import Path

Identity = tuple[int, int, int]


def identity_of(path: Path) -> Identity | None:
    """The same for as long as a file is neither replaced nor written; None for none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
