"""What of a study is labelled so far, in the words and rows that the panel shows."""

from __future__ import annotations

from slicer.i18n import tr as _

from .slice_views import sliceName
from .study_session import StudySession


def volume_rows(session: StudySession) -> list[list[str]]:
    """For each volume its name, how many of its slices are labelled, and their share."""
    return [_row(session, case) for case in session.cases()]


def slice_rows(session: StudySession, case: str) -> list[list[str]]:
    """For each labelled slice of a volume its place, and the organs that it shows."""
    volume_node = session.volumeNode(case)
    return [
        [sliceName(volume_node, labelled.axis, labelled.index), ", ".join(organs) or _("no organ")]
        for labelled, organs in session.labelledSlices(case)
    ]


def fraction_of(session: StudySession) -> str:
    """How many of the slices of all volumes are labelled."""
    labelled = sum(_labelled(session, case) for case in session.cases())
    slices = sum(_slices(session, case) for case in session.cases())
    return _("{labelled} of {slices} slices are labelled: {percent:.2g} %.").format(
        labelled=labelled, slices=slices, percent=100 * labelled / slices
    )


def _row(session: StudySession, case: str) -> list[str]:
    name = case if session.volumeNode(case) is not None else _("{case} (not loaded)").format(case=case)
    labelled = _labelled(session, case)
    return [name, str(labelled), f"{100 * labelled / _slices(session, case):.1f} %"]


def _labelled(session: StudySession, case: str) -> int:
    """Labelled slices: those on the volume's labels in the scene, or else those in the study."""
    volume_node = session.volumeNode(case)
    if volume_node is not None and session.labelNode(volume_node) is not None:
        return len(session.labelling(case).items())
    labels = session.study.case(case).labels
    return 0 if labels is None else len(labels.slices)


def _slices(session: StudySession, case: str) -> int:
    return int(session.study.case(case).image.shape[session.study.slice_axis])
