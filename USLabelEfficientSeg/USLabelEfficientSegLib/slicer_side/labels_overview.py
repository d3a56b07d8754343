"""How much of a study is labelled so far, in the panel's words and rows."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..study.coverage import counted_slices, in_percent
from .slice_views import sliceName
from .study_session import StudySession


def volume_rows(session: StudySession) -> list[list[str]]:
    """For each volume its name, its number of labelled slices, and their share."""
    return [_row(session, case) for case in session.cases()]


def slice_rows(session: StudySession, case: str) -> list[list[str]]:
    """For each labelled slice of a volume its place and its organs."""
    volume_node = session.volumeNode(case)
    return [
        [sliceName(volume_node, labelled.axis, labelled.index), ", ".join(organs) or _("no organ")]
        for labelled, organs in session.labelledSlices(case)
    ]


def fraction_of(session: StudySession) -> str:
    """The number of labelled slices in all volumes, and their share."""
    labelled = sum(len(_labelled(session, case)) for case in session.cases())
    counted = sum(_counted(session, case) for case in session.cases())
    slices = sum(_slices(session, case) for case in session.cases())
    text = _("{labelled} of {slices} slices are labelled: {share}.")
    if counted < labelled:  # 8 of 240 would not be that share
        text = _("{labelled} slices are labelled: {share} of all, where they cross counted once.")
    return text.format(labelled=labelled, slices=slices, share=in_percent(counted / slices))


def _row(session: StudySession, case: str) -> list[str]:
    name = case if session.volumeNode(case) is not None else _("{case} (not loaded)").format(case=case)
    share = _counted(session, case) / _slices(session, case)
    return [name, str(len(_labelled(session, case))), f"{100 * share:.1f} %"]


def _counted(session: StudySession, case: str) -> float:
    shape = session.study.case(case).image.shape
    return counted_slices(_labelled(session, case), shape, session.study.slice_axis)


def _labelled(session: StudySession, case: str) -> list[tuple[int, int]]:
    """Labelled slices, from the volume's labels in the scene or else from the study."""
    volume_node = session.volumeNode(case)
    if volume_node is not None and session.labelNode(volume_node) is not None:
        return [(labelled.axis, labelled.index) for labelled in session.labelling(case).items()]
    labels = session.study.case(case).labels
    return [] if labels is None else list(labels.slices)


def _slices(session: StudySession, case: str) -> int:
    return int(session.study.case(case).image.shape[session.study.slice_axis])
