"""What to do next: a sentence at the top of the panel, and the one button in colour.

Who reads nothing else finds the way to the volumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ...disk.study_layout import MANIFEST_NAME
from ...study.coverage import labelled_counts
from ..processes.jobs import Job
from ..session.study_place import why_no_place

if TYPE_CHECKING:
    from ..session.study_session import StudySession

FEWEST = 4  # labelled slices, or images, from which a training tells something
_STUDY, _KEEP, _TRAIN = "studyButton", "keepSliceButton", "trainButton"
_SEGMENT, _REPORT = "segmentButton", "reportButton"
BUTTONS = _STUDY, _KEEP, _TRAIN, _SEGMENT, _REPORT  # that advice may lead to
_GOOD = 15  # from which overlap and volumes are markedly better, see the page of results


@dataclass(frozen=True)
class Situation:
    """Where the user is.

    Attributes:
        session: the open study.
        missing: whether the scene lacks volumes of it.
        job: that is running, or the last one.
        complete: whether all packages are there; it is told elsewhere what to do if they are not.
        folder: that is given for the study.
        offered: whether the scene holds volumes or images.
        ticked: whether any of them are to belong to the study.
        named: whether organs have names of the user's.
        labelling: whether a volume is shown to be labelled.
        correcting: whether the slice that is shown is one of a result that the user wanted to correct.
        training: what the button of a training says that can be started now; "" for none.
        results: whether there are any.
    """

    session: StudySession | None
    missing: bool
    job: Job | None
    complete: bool
    folder: Path | None
    offered: bool
    ticked: bool
    named: bool
    labelling: bool
    correcting: bool
    training: str
    results: bool


@dataclass(frozen=True)
class Advice:
    """What to do next.

    Attributes:
        sentence: for the user.
        button: the widget to press, by its name, then or at the end of that; "" where there is none.
    """

    sentence: str
    button: str


def advice(now: Situation) -> Advice:
    """What to do in a situation; no sentence where packages are missing."""
    if not now.complete:
        return Advice("", _STUDY)
    if now.job is not None and now.job.running:
        if now.job.kind == "train" and now.session is not None:
            return Advice(_("Training goes on by itself; meanwhile you can label more in step 2."), _KEEP)
        return Advice(_("{what}: please wait, or press Cancel.").format(what=now.job.title), "")
    if now.session is None:
        return _to_a_study(now)
    if now.missing:
        return Advice(_("Press Load its volumes in step 1."), _STUDY)
    return _to_a_model(now, now.session) or _with_a_model(now, now.session)


def _to_a_study(now: Situation) -> Advice:
    if now.folder is not None and (now.folder / MANIFEST_NAME).is_file():
        return Advice(_("Press Open study."), _STUDY)
    if not now.ticked and now.results:
        return _to_look(None)
    return Advice(_how_to_a_study(now), _STUDY)


def _how_to_a_study(now: Situation) -> str:
    if not now.ticked and not now.offered:
        return _("Add ultrasound volumes with Add folder or From DICOM; or press Load example to try it.")
    if not now.ticked:
        return _("Tick the volumes that belong to your study.")
    if now.folder is None or why_no_place(now.folder) is not None:
        return _("Choose a folder in which the study is kept.")
    if not now.named:
        return _("Double-click the word organ to name yours, then press Create study.")
    return _("Press Create study.")


def _to_a_model(now: Situation, session: StudySession) -> Advice | None:
    """As long as there is none; then nothing."""
    slices = labelled_counts(session.study)[1]
    if session.model is not None:
        return None
    if slices < FEWEST:
        return Advice(_how_to_label(now, slices), _KEEP)
    if slices < _GOOD:
        text = _("Press Train in step 3; or label more first, about {good} make it markedly better.")
        return Advice(text.format(good=_GOOD), _TRAIN)
    return Advice(_("Press Train in step 3."), _TRAIN)


def _how_to_label(now: Situation, slices: int) -> str:
    if not now.labelling:
        return _("Press Next slice in step 2.")
    if slices == 0:
        return _(
            "Paint each organ where you see it in this slice, then press Keep and next. "
            "If there is none, press No organ here."
        )
    text = _("Paint this slice, too, and press Keep and next: {count} of at least {fewest} slices are labelled.")
    if slices == 1:
        text = _("Paint this slice, too, and press Keep and next: 1 of at least {fewest} slices is labelled.")
    return text.format(count=slices, fewest=FEWEST)


def _with_a_model(now: Situation, session: StudySession) -> Advice:
    if now.correcting:
        return Advice(_("Correct what is wrong in this slice, then press Keep and next."), _KEEP)
    if now.training and session.training.news():
        text = _("You have labelled or added more: press {button} in step 3.")
        return Advice(text.format(button=now.training), _TRAIN)
    if now.results:
        return _to_look(session)
    return Advice(_("Segment volumes in step 4, under Segment other volumes."), _SEGMENT)


def _to_look(session: StudySession | None) -> Advice:
    if session is not None and session.isPlanar:
        text = _(
            "Look at the areas in step 4, cautions first: click a row to see its image, and correct what is wrong."
        )
    else:
        text = _(
            "Look at the volumes in step 4, cautions first: click a row to see its slice, and correct what is wrong."
        )
    return Advice(text, _REPORT)
