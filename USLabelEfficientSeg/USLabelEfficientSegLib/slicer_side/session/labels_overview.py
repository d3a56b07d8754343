"""How much of a study is labelled so far, in the panel's words and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ...study.coverage import counted_slices, in_percent
from ..nodes.slice_views import sliceName
from ..nodes.study_nodes import labelNodesOf, volumeOf
from .labelling import ATTRIBUTE, LabelledSlices

if TYPE_CHECKING:
    from ...study.manifest import Case, LabelRecord
    from .study_session import StudySession


def slice_rows(session: StudySession, case: str) -> list[list[str]]:
    """For each labelled slice of a volume its place and its organs."""
    volume_node = session.volumeNode(case)
    return [
        [sliceName(volume_node, labelled.axis, labelled.index), ", ".join(organs) or _("no organ")]
        for labelled, organs in session.labels.slices(case)
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


class LabelsOverview:
    """How much of every volume is labelled; counted again only for volumes whose labels have changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[Any, ...], Coverage, list[str]]] = {}

    def look(self, session: StudySession) -> tuple[list[Coverage], list[list[str]]]:
        """Of every volume of the study, in the order of their names; and name, number and share as text."""
        study, label_nodes = session.study, labelNodesOf(session.study.created)
        known, self._known = self._known, {}
        for case in study.cases:
            name, node = case.name, label_nodes.get(case.name)
            loaded = session.isPlanar or name in label_nodes  # images are loaded when they are looked at
            drawn = None if node is None else node.GetAttribute(ATTRIBUTE)
            on = (study.created, case, loaded, node is None, drawn)
            before = known.get(name)
            if before is None or before[0] != on:
                covered = _coverage(case, node, loaded, study.slice_axis)
                before = (on, covered, _row(covered))
            self._known[name] = (on, *before[1:])
        return [one[1] for one in self._known.values()], [one[2] for one in self._known.values()]


def _coverage(case: Case, label_node: Any, loaded: bool, axis: int) -> Coverage:
    places = _labelled(case.labels, label_node)
    counted, slices = counted_slices(places, case.image.shape, axis), int(case.image.shape[axis])
    return Coverage(case.name, loaded, len(places), counted, slices)


def _row(one: Coverage) -> list[str]:
    """The name of a volume, its number of labelled slices, and their share."""
    name = one.case if one.loaded else _("{case} (not loaded)").format(case=one.case)
    return [name, str(one.labelled), f"{100 * one.counted / one.slices:.1f} %"]


def _labelled(stored: LabelRecord | None, label_node: Any) -> Sequence[tuple[int, int]]:
    """(axis, index) of the labelled slices, from the volume's labels in the scene or else from the study."""
    if label_node is not None:
        items = LabelledSlices(label_node, volumeOf(label_node)).items()
        return [(labelled.axis, labelled.index) for labelled in items]
    return () if stored is None else stored.slices
