"""How much of a study is labelled so far, in the panel's words and rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, count
from operator import attrgetter, is_not
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ...study.coverage import counted_slices, in_percent
from ..nodes.slice_views import sliceName

if TYPE_CHECKING:
    from ...study.manifest import Case
    from ..scene_now import SceneNow
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
    labelled, counted, slices = (sum(map(attrgetter(what), covered)) for what in ("labelled", "counted", "slices"))
    if planar:
        text = _("{labelled} of {images} images {are} labelled: {share}.")
        return text.format(labelled=labelled, images=slices, are=_are(labelled), share=in_percent(counted / slices))
    text = _("{labelled} of {slices} slices {are} labelled: {share}.")
    if counted < labelled:  # slices that cross count once where they do: 8 of 240 would not be that share
        text = _("{labelled} slices {are} labelled: {share} of all.")
        if labelled == 1:
            text = _("{labelled} slice {are} labelled: {share} of all.")
    return text.format(labelled=labelled, slices=slices, are=_are(labelled), share=in_percent(counted / slices))


def _are(count: int) -> str:
    return _("is") if count == 1 else _("are")


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
        self._of: tuple[str, int, bool] | None = None  # study, slice axis, whether of images
        self._cases: Sequence[Case] = ()
        self._loaded: Mapping[str, str] = {}
        self._numbers: Mapping[str, int] = {}  # of cases, by their volumes
        self._labels: Mapping[str, str | None] = {}
        self._covered: list[Coverage] = []
        self._rows: list[list[str]] = []

    def look(self, session: StudySession, scene: SceneNow) -> tuple[list[Coverage], list[list[str]]]:
        """Of every volume of the study, in the order of their names; and name, number and share as text."""
        study = session.study
        loaded = scene.once_of_volumes("cases shown", lambda: scene.cases_of(study.created), study.created)
        drawn = {volume: one.labelled for volume, one in scene.labels_of(study.created).items()}
        of = (study.created, study.slice_axis, session.isPlanar)
        changed: Sequence[int] = range(len(study.cases))
        if of == self._of and loaded == self._loaded and len(study.cases) == len(self._cases):
            others = {volume for volume, _slices in drawn.items() ^ self._labels.items()}
            drawn_on = {self._numbers[volume] for volume in others if volume in self._numbers}
            changed = sorted(drawn_on.union(compress(count(), map(is_not, study.cases, self._cases))))
        else:
            self._covered, self._rows = [], []
            self._numbers = {loaded[case.name]: n for n, case in enumerate(study.cases) if case.name in loaded}
        covered, rows = self._covered.copy(), self._rows.copy()
        for number in changed:
            case = study.cases[number]
            there = session.isPlanar or case.name in loaded  # images are loaded when they are looked at
            volume = loaded.get(case.name, "")
            one = _coverage(case, there, volume in drawn, drawn.get(volume), study.slice_axis)
            covered[number : number + 1], rows[number : number + 1] = [one], [_row(one)]
        self._of, self._cases, self._loaded, self._labels = of, study.cases, loaded, drawn
        self._covered, self._rows = covered, rows
        return covered, rows


def _coverage(case: Case, loaded: bool, has_labels: bool, drawn: str | None, axis: int) -> Coverage:
    """From the volume's labels in the scene, or else from the study."""
    places: Sequence[tuple[int, int]] = () if case.labels is None else case.labels.slices
    if has_labels:
        places = [(across, index) for across, index in json.loads(drawn or "[]")]
    counted, slices = counted_slices(places, case.image.shape, axis), int(case.image.shape[axis])
    return Coverage(case.name, loaded, len(places), counted, slices)


def _row(one: Coverage) -> list[str]:
    """The name of a volume, its number of labelled slices, and their share."""
    name = one.case if one.loaded else _("{case} (not loaded)").format(case=one.case)
    return [name, str(one.labelled), f"{100 * one.counted / one.slices:.1f} %"]
