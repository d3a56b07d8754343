"""Who wants to see what a running training finds now in a volume asks for it with a file in the study."""

from pathlib import Path

from ..disk.files import atomic_write_json
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
        (study_folder / WATCHED).unlink(missing_ok=True)
    else:
        atomic_write_json(study_folder / WATCHED, {"volume": name})


def watched_volume(study_folder: Path) -> str | None:
    """The volume that somebody watches, None when nobody does or the file that asks for it is damaged."""
    try:
        return str(read_json(study_folder / WATCHED)["volume"])
    except (OSError, ValueError, KeyError, TypeError):  # a wish, for which no training must end
        return None
