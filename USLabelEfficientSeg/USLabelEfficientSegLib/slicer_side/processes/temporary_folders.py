"""Folders for what a worker reads and writes meanwhile."""

from __future__ import annotations

from tempfile import TemporaryDirectory

import slicer


def temporaryFolder() -> TemporaryDirectory[str]:
    """A folder in the place that the user has set for temporary files, removed at the end of a `with` block."""
    return TemporaryDirectory(dir=slicer.app.temporaryPath, ignore_cleanup_errors=True)
