"""What is known of a volume's organs while its slices are labelled: by the model, by the labelled slices, by both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...annotation.sparse_labels import UNLABELLED
from ..processes.aside import aside
from ..processes.jobs import Job, Steps
from ..processes.temporary_folders import temporaryFolder

if TYPE_CHECKING:
    from ...annotation.sparse_labels import LabelledSlice
    from ...imaging.scan import LabelMap
    from .study_session import StudySession

Source = Literal["model", "labels"]
_REQUESTS: dict[Source, tuple[str, dict[str, Any]]] = {
    "model": ("predict", {"coarse": True, "corrected": True}),
    "labels": ("propagate", {}),
}
Strokes = Mapping["LabelledSlice", NDArray[np.uint8]]


@dataclass(frozen=True)
class KnownOrgans:
    """The organs of a volume as far as they are known.

    Attributes:
        labels: on a coarse grid.
        volumes_ml: by organ.
        slice: of the slice that was asked for: its labels on the volume's own grid; None if none was.
        intervals_ml: 90 % prediction intervals, by organ as far as there are any.
        next_slice: axis and index of the slice of the volume that is worth drawing next, None if none is known.
    """

    labels: LabelMap
    volumes_ml: Mapping[str, float]
    slice: NDArray[np.uint8] | None
    intervals_ml: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    next_slice: tuple[int, int] | None = None


def source_of(session: StudySession, case: str, strokes: Strokes | None = None) -> Source | None:
    """What a volume's organs are known by: the model, corrected by labelled slices, or these alone; or nothing as yet.

    Of a study of 2-D images always nothing: an image is its only slice.

    Args:
        session: of the study.
        case: name of the volume.
        strokes: what is drawn in slices that are not labelled: 0 background, n the n-th organ, 255 elsewhere.
    """
    if session.isPlanar:
        return None
    if session.model is not None:
        return "model"
    drawn = any(((labels > 0) & (labels != UNLABELLED)).any() for labels in (strokes or {}).values())
    return "labels" if drawn or any(organs for _slice, organs in session.labels.slices(case)) else None


def known_organs(
    job: Job,
    session: StudySession,
    case: str,
    source: Source,
    place: tuple[int, int] | None = None,
    strokes: Strokes | None = None,
) -> Steps:
    """Steps that ask the study's resident worker; they return `KnownOrgans`.

    Args:
        job: whose steps these are.
        session: of the study.
        case: name of the volume.
        source: see `source_of`.
        place: axis and index of a slice that is wanted by itself.
        strokes: see `source_of`.
    """
    request, arguments = _REQUESTS[source]
    if place is not None:
        arguments = {**arguments, "slice": list(place)}
    slices = {**session.labels.of(case).sliceLabels(session.organs()), **(strokes or {})}  # more than the study holds
    with temporaryFolder() as folder:
        output, labels = Path(folder) / "outline.nrrd", Path(folder) / "labels.npz"
        yield from aside(partial(_write, labels, slices))
        asked = {"study": session.folder, "volume": case, "labels": labels, "output": output, **arguments}
        result = yield from job.ask(session.resident, request, **asked)
        return (yield from aside(partial(_read, result)))


def _write(path: Path, slices: Mapping[LabelledSlice, NDArray[np.uint8]]) -> None:
    from ...annotation.slice_labels_file import write_slice_labels

    write_slice_labels(path, slices)


def _read(result: Mapping[str, Any]) -> KnownOrgans:
    from ...annotation.label_files import read_labels

    labels = read_labels(Path(result["file"]))
    found = np.load(result["slice"], allow_pickle=False) if "slice" in result else None
    intervals = {organ: (low, high) for organ, (low, high) in result.get("intervals_ml", {}).items()}
    axis_and_index = tuple(result["next_slice"]) if "next_slice" in result else None
    return KnownOrgans(labels, result["volumes_ml"], found, intervals, axis_and_index)
