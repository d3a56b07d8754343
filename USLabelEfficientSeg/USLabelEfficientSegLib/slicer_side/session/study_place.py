"""Where a study is kept."""

from __future__ import annotations

from datetime import date
from itertools import chain, count
from pathlib import Path

import slicer
from slicer.i18n import tr as _


def why_no_place(folder: Path) -> str | None:
    """Why a study cannot lie in a folder, None when it can."""
    if folder.is_absolute():
        return None
    whole = Path(slicer.app.defaultScenePath) / folder
    return _("Give the whole path of the study folder, for example {whole}.").format(whole=whole)


def new_study_folder() -> Path:
    """A folder that does not exist yet, named after today, where Slicer keeps the user's scenes."""
    name = _("Ultrasound study {day}").format(day=f"{date.today():%Y-%m-%d}")
    home, numbers = Path(slicer.app.defaultScenePath), chain([""], (f" {number}" for number in count(2)))
    return next(folder for number in numbers if not (folder := home / f"{name}{number}").exists())
