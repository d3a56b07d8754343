"""Who wants to see what a running training finds now in a volume asks for it with a file in the study."""

import json
from pathlib import Path

from .files import atomic_write_json

WATCHED = "preview/watched.json"
PREVIEW = "preview/now.nrrd"  # the answer: a label map on the working grid


def watch_volume(study_folder: Path, name: str | None) -> None:
    """Ask a training of the study, running or to come, for previews of a volume; None: for no more previews."""
    if name is None:
        (study_folder / WATCHED).unlink(missing_ok=True)
    else:
        atomic_write_json(study_folder / WATCHED, {"volume": name})


def watched_volume(study_folder: Path) -> str | None:
    """The volume that somebody watches, None when nobody does."""
    try:
        return str(json.loads((study_folder / WATCHED).read_text(encoding="utf-8"))["volume"])
    except FileNotFoundError:
        return None
