"""Labels of cases of a study are replaced, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..annotation.label_files import write_label_map
from ..annotation.segments import segments_of
from ..disk.files import temporary_path, writing
from ..disk.in_use import remove_file, replace_file
from ..disk.study_layout import LABELS
from ..errors import InputError
from ..imaging.scan import LabelMap
from ..imaging.volume_files import read_geometry
from .creation import label_record

if TYPE_CHECKING:
    from ..annotation.sparse_labels import SparseLabels
    from ..imaging.geometry import Geometry
    from .manifest import Case
    from .study import Study


def replaced(study: Study, labels: Sequence[tuple[Case, SparseLabels]]) -> dict[str, Case]:
    """Write the labels of cases into a study; returns, by name, what its manifest shall say of them.

    Args:
        study: the caller holds its lock.
        labels: cases of it with their new labels.

    Raises:
        InputError: they do not fit, or no slice of a case is labelled; no room or permission to write.
    """
    staged: list[tuple[Path, Path]] = []
    changed: dict[str, Case] = {}
    try:
        for case, one in labels:
            geometry = _checked(study, case, one)
            file = f"{LABELS}/{Path(case.image.file).name}"
            temporary = temporary_path(study.folder / LABELS, ".nrrd")
            staged.append((temporary, study.folder / file))
            write_label_map(temporary, LabelMap(one.voxels, geometry, case.name, segments_of(study.organs)))
            record = label_record(study.folder, f"{LABELS}/{temporary.name}", one, study.slice_axis)
            record = record.model_copy(update={"file": file})
            changed[case.name] = case.model_copy(update={"labels": record})
        with writing(study.folder / LABELS):
            for temporary, path in staged:
                replace_file(temporary, path)
    finally:
        for temporary, _ in staged:
            remove_file(temporary, missing_ok=True)
    return changed


def _checked(study: Study, case: Case, labels: SparseLabels) -> Geometry:
    """The grid of a case, on which labels of the study's organs must lie."""
    if labels.organs != study.organs:
        raise InputError(
            f"label of {case.name}",
            f"is of {', '.join(labels.organs)}",
            f"label {', '.join(study.organs)} as the study does",
        )
    # The header alone: an annotator waits for this after every slice.
    geometry = read_geometry(study.folder / case.image.file, planar=study.is_planar)
    labels.validate(case.name, geometry)
    return geometry
