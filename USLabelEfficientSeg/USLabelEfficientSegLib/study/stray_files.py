"""Files in a study's folders that are no part of it, such as a label map put there by hand."""

from pathlib import Path

from ..disk.study_layout import IMAGES, LABELS
from .study import Study


def stray_files(study: Study) -> list[Path]:
    """Files in `images` and `labels` that the manifest does not know, sorted; hidden files are passed over."""
    known = {record.file for case in study.cases for record in (case.image, case.labels) if record is not None}
    return [
        entry
        for name in (IMAGES, LABELS)
        for entry in sorted((study.folder / name).glob("*"))
        if f"{name}/{entry.name}" not in known and not entry.name.startswith(".")
    ]
