"""A file in the study asks a running training for previews of a volume."""

from pathlib import Path

from ..disk.files import atomic_write_json
from ..disk.in_use import remove_file
from ..disk.json_files import read_json
from ..disk.links import refuse_link

WATCHED = "preview/watched.json"
PREVIEW = "preview/now.nrrd"  # the answer: a label map on the working grid


def watch_volume(study_folder: Path, name: str | None) -> None:
    """Ask a training of the study, running or to come, for previews of a volume; None: for no more previews.

    Raises:
        InputError: the study's folder of previews is a link; no room or permission to write.
    """
    refuse_link((study_folder / WATCHED).parent)
    if name is None:
        remove_file(study_folder / WATCHED, missing_ok=True)
    else:
        atomic_write_json(study_folder / WATCHED, {"volume": name})


def watched_volume(study_folder: Path) -> str | None:
    """The volume that somebody watches, None when nobody does or the file that asks for it is damaged."""
    try:
        return str(read_json(study_folder / WATCHED)["volume"])
    except (OSError, ValueError, KeyError, TypeError):  # a mere wish: no training must end for it
        return None
