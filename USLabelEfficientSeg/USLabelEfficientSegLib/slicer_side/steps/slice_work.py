"""What the user does with single slices: kept as label, with or without an organ, begun with a result, undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..nodes import study_nodes
from ..nodes.segmentation_nodes import labelsOfSlice
from ..session.study_session import StudySession


@dataclass(frozen=True)
class Place:
    """A slice of a case, by array axis and index."""

    case: str
    axis: int
    index: int


@dataclass(frozen=True)
class _Kept:
    """A slice that was kept, and how it was before."""

    place: Place
    painted: NDArray[np.uint8]
    begun: NDArray[np.uint8] | None  # what it was begun with


class SliceWork:
    """The slices that were kept since the study was opened, in their order, and those begun with a result."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._begun: dict[Place, NDArray[np.uint8]] = {}

    @property
    def undoable(self) -> bool:
        """Whether there is a kept slice to take back."""
        return bool(self._kept)

    def forget(self) -> None:
        """Another study is open, or none."""
        self._kept, self._begun = [], {}

    def keep(self, session: StudySession, place: Place) -> None:
        """What is painted on a slice is its label."""
        self._note(session, place)
        session.labels.of(place.case).mark(place.axis, place.index)
        self._begun.pop(place, None)

    def keep_empty(self, session: StudySession, place: Place) -> None:
        """The label of a slice is that it shows no organ."""
        self._note(session, place)
        session.labels.of(place.case).markEmpty(place.axis, place.index, session.organs())
        self._begun.pop(place, None)

    def undo(self, session: StudySession) -> Place:
        """The slice that was kept last is not labelled any more, and painted as it was before; returns which it is."""
        kept = self._kept.pop()
        labelling = session.labels.of(kept.place.case)
        labelling.paint(kept.place.axis, kept.place.index, kept.painted, session.organs())
        labelling.remove(kept.place.axis, kept.place.index)
        if kept.begun is not None:
            self._begun[kept.place] = kept.begun
        return kept.place

    def begin(self, session: StudySession, place: Place) -> bool:
        """Paint a slice as the latest result of its volume has it, unless the user has drawn there; returns whether.

        Raises:
            InputError: organs overlap in the slice, or the result lacks an organ.
        """
        volume_node = session.node(place.case)
        results = study_nodes.madeFor(volume_node, study_nodes.RESULT)
        if not results or not self.can_begin(session, place):
            return False
        found = labelsOfSlice(results[-1], volume_node, session.organs(), place.axis, place.index)
        return self.begin_with(session, place, found)

    def begin_with(self, session: StudySession, place: Place, found: NDArray[np.uint8]) -> bool:
        """Paint a slice with what was found there, unless the user has drawn or labelled it; returns whether.

        Raises:
            InputError: organs overlap in the slice.
        """
        if not self.can_begin(session, place):
            return False
        session.labels.of(place.case).paint(place.axis, place.index, found, session.organs())
        self._begun[place] = found
        return True

    def can_begin(self, session: StudySession, place: Place) -> bool:
        """Whether a slice is not labelled, and shows nothing that the user has drawn."""
        return not _is_labelled(session, place) and self._untouched(session, place)

    def is_drawn(self, session: StudySession, place: Place) -> bool:
        """Whether a slice shows what the user has drawn, and is not labelled."""
        return not _is_labelled(session, place) and not self._untouched(session, place)

    def is_begun(self, session: StudySession, place: Place) -> bool:
        """Whether a slice shows what it was begun with, not labelled and not changed."""
        begun = self._begun.get(place)
        return (
            begun is not None
            and bool(begun.any())
            and not _is_labelled(session, place)
            and np.array_equal(_painted(session, place), begun)
        )

    def strokes(
        self, session: StudySession, place: Place, outline: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8] | None:
        """What the user has drawn so far in a slice that is not labelled tells of it; None if nothing was drawn.

        Args:
            session: of the study.
            place: the slice.
            outline: labels that were expected in it, on any grid; None: nothing was.

        Raises:
            InputError: organs overlap in the slice.
        """
        from ...annotation.strokes import told_by_strokes

        if _is_labelled(session, place):
            return None
        painted = _painted(session, place)
        return told_by_strokes(painted, self._begun.get(place, np.zeros_like(painted)), outline)

    def empty(self, session: StudySession, place: Place) -> None:
        """Take away what a slice was begun with."""
        nothing = np.zeros_like(self._begun.pop(place))
        session.labels.of(place.case).paint(place.axis, place.index, nothing, session.organs())

    def clear_begun(self, session: StudySession) -> bool:
        """Slices that were begun, and neither kept nor changed, are as empty as before; returns whether any were."""
        untouched = [place for place in self._begun if session.holds(place.case) and self.can_begin(session, place)]
        for place in untouched:
            self.empty(session, place)
        self._begun = {}
        return bool(untouched)

    def _note(self, session: StudySession, place: Place) -> None:
        if not _is_labelled(session, place):  # keeping a label again changes nothing
            self._kept.append(_Kept(place, _painted(session, place), self._begun.get(place)))

    def _untouched(self, session: StudySession, place: Place) -> bool:
        """Whether a slice shows nothing, or only what it was begun with."""
        painted = _painted(session, place)
        return not painted.any() or np.array_equal(painted, self._begun.get(place, np.zeros_like(painted)))


def _is_labelled(session: StudySession, place: Place) -> bool:
    return session.labels.isLabelled(place.case, place.axis, place.index)


def _painted(session: StudySession, place: Place) -> NDArray[np.uint8]:
    labelling = session.labels.of(place.case)
    return labelsOfSlice(labelling.segmentationNode, labelling.volumeNode, session.organs(), place.axis, place.index)
