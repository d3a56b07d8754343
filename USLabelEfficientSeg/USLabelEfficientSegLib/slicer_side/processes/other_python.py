"""Which Python the workers run with: Slicer's own, or another one of the user's choice.

A worker gets all that it needs by its command line and by files, the study's folder above all, and tells all by files
and by its log. So a Python of this computer is exchanged for another by nothing but the command that starts it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import slicer

SETTING = "USLabelEfficientSeg/Python"  # in Slicer's user settings: of this computer, not of a scene
LIBRARY = Path(__file__).parents[3]


def chosen_python() -> Path | None:
    """The other Python that the user has chosen, None for Slicer's own."""
    application = getattr(slicer, "app", None)
    path = "" if application is None else application.userSettings().value(SETTING)
    return Path(path) if path else None


def choose_python(python: Path | None) -> None:
    """Let workers run with another Python from now on, or with Slicer's own again."""
    settings = slicer.app.userSettings()
    if python is None:
        settings.remove(SETTING)
    else:
        settings.setValue(SETTING, str(python))
    settings.sync()


def slicers_python() -> str:
    """Python of Slicer when it is on the path, as it is inside Slicer; else the one that runs this."""
    return shutil.which("PythonSlicer") or sys.executable


def environment_of(python: Path | None, changes: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for a worker; another Python gets nothing of what Slicer's launcher sets for its own.

    Args:
        python: None for Slicer's own.
        changes: variables to set beside.
    """
    if python is None:
        mine, paths = dict(os.environ), [str(LIBRARY), os.environ.get("PYTHONPATH")]
    else:
        mine = {name: value for name, value in slicer.util.startupEnvironment().items() if name != "PYTHONHOME"}
        paths = [str(LIBRARY)]
    path = os.pathsep.join(filter(None, paths))
    return {**mine, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **changes}
