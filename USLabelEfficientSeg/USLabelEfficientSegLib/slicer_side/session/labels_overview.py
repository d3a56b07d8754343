"""How much of a study is labelled so far, in the panel's words and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ...study.coverage import counted_slices, in_percent
from ..nodes.slice_views import sliceName
from ..nodes.study_nodes import labelNodesOf, volumeOf
from .labelling import LabelledSlices

if TYPE_CHECKING:
    from ...study.manifest import LabelRecord
    from .study_session import StudySession


def volume_rows(covered: Sequence[Coverage]) -> list[list[str]]:
    """For each volume its name, its number of labelled slices, and their share."""
    return [
        [
            one.case if one.loaded else _("{case} (not loaded)").format(case=one.case),
            str(one.labelled),
            f"{100 * one.counted / one.slices:.1f} %",
        ]
        for one in covered
    ]


def slice_rows(session: StudySession, case: str) -> list[list[str]]:
    """For each labelled slice of a volume its place and its organs."""
    volume_node = session.volumeNode(case)
    return [
        [sliceName(volume_node, labelled.axis, labelled.index), ", ".join(organs) or _("no organ")]
        for labelled, organs in session.labelledSlices(case)
    ]


def fraction_of(covered: Sequence[Coverage], planar: bool) -> str:
    """The number of labelled slices in all volumes, or of labelled images, and their share."""
    labelled = sum(one.labelled for one in covered)
    counted = sum(one.counted for one in covered)
    slices = sum(one.slices for one in covered)
    if planar:
        text = _("{labelled} of {images} images are labelled: {share}.")
        return text.format(labelled=labelled, images=slices, share=in_percent(counted / slices))
    text = _("{labelled} of {slices} slices are labelled: {share}.")
    if counted < labelled:  # slices that cross count once where they do: 8 of 240 would not be that share
        text = _("{labelled} slices are labelled: {share} of all.")
    return text.format(labelled=labelled, slices=slices, share=in_percent(counted / slices))


@dataclass(frozen=True)
class Coverage:
    """How much of a volume is labelled.

    Attributes:
        case: name of the volume in the study.
        loaded: whether the views can show it.
        labelled: number of labelled slices.
        counted: the number of slices along the study's slice axis that they are worth.
        slices: along that axis.
    """

    case: str
    loaded: bool
    labelled: int
    counted: float
    slices: int


def coverages(session: StudySession) -> list[Coverage]:
    """Of every volume of the study, in the order of their names."""
    axis, label_nodes = session.study.slice_axis, labelNodesOf(session.study.created)
    found = []
    for case in session.study.cases:
        places = _labelled(case.labels, label_nodes.get(case.name))
        loaded = session.isPlanar or case.name in label_nodes  # images are loaded when they are looked at
        counted, slices = counted_slices(places, case.image.shape, axis), int(case.image.shape[axis])
        found.append(Coverage(case.name, loaded, len(places), counted, slices))
    return found


def _labelled(stored: LabelRecord | None, label_node: Any) -> Sequence[tuple[int, int]]:
    """(axis, index) of the labelled slices, from the volume's labels in the scene or else from the study."""
    if label_node is not None:
        items = LabelledSlices(label_node, volumeOf(label_node)).items()
        return [(labelled.axis, labelled.index) for labelled in items]
    return () if stored is None else stored.slices
