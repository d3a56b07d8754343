"""What the panel will need is imported beside Slicer's event loop, which would else wait for it at the first click."""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress

from .dependencies import missingRequirements

LIBRARY = __name__.partition(".")[0]
NEEDED_LATER = (
    "study.study",
    "imaging.files",
    "imaging.simulator",
    "study.inbox",
    "study.kept_slices",
    "study.provenance",
    "measurement.measuring",
    "evaluation.agreement",
)


def importAhead() -> threading.Thread | None:
    """Begin to import, if all packages are there. Call it when the panel is opened; its end need not be awaited."""
    if missingRequirements():
        return None
    thread = threading.Thread(target=_import_all, name="USLabelEfficientSeg imports")
    thread.start()
    return thread


def _import_all() -> None:
    with suppress(ImportError):  # a package that is damaged: whoever needs it will tell
        for name in NEEDED_LATER:
            importlib.import_module(f"{LIBRARY}.{name}")
