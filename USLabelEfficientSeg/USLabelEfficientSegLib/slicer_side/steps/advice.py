"""One sentence at the top of the panel on what to do next: who reads nothing else finds the way to the volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ...disk.study_layout import MANIFEST_NAME
from ...study.coverage import labelled_counts
from ..session.study_place import why_no_place

if TYPE_CHECKING:
    from ..panel import Panel
    from ..session.study_session import StudySession

FEWEST = 4  # labelled slices, or images, from which a training tells something
_GOOD = 15  # from which overlap and volumes are markedly better, see the page of results


def advice(panel: Panel) -> str:
    """The sentence for the state of the panel; empty where packages are missing, which is told elsewhere."""
    job, session = panel.runner.job, panel.session
    if panel.environment.missing:
        return ""
    if job is not None and job.running:
        if job.kind == "train" and session is not None:
            return _("Training goes on by itself; meanwhile you can label more in step 2.")
        return _("{what}: please wait, or press Cancel.").format(what=job.title)
    if session is None:
        return _to_a_study(panel)
    if session.missing():
        return _("Press Load its volumes in step 1.")
    return _to_a_model(panel, session) or _with_a_model(panel, session)


def show_advice(panel: Panel) -> None:
    """Bring the line up to date; it is there only where it says something."""
    sentence, label = advice(panel), panel.ui.nextLabel
    label.text = _("Next: {sentence}").format(sentence=sentence) if sentence else ""
    label.visible = bool(sentence)


def _to_a_study(panel: Panel) -> str:
    data = panel.data
    folder, ticked = data.folder(), data.ticked() or data.images.folder is not None
    if folder is not None and (folder / MANIFEST_NAME).is_file():
        return _("Press Open study.")
    if not ticked and panel.measure.done():
        return _to_look()
    if not ticked and not data.offered():
        return _("Add ultrasound volumes with Add folder or From DICOM; or press Load example to try it.")
    if not ticked:
        return _("Tick the volumes that belong to your study.")
    if folder is None or why_no_place(folder) is not None:
        return _("Choose a folder in which the study is kept.")
    if not panel.parameters.organs:
        return _("Double-click the word organ to name yours, then press Create study.")
    return _("Press Create study.")


def _to_a_model(panel: Panel, session: StudySession) -> str:
    """As long as there is none; then nothing."""
    slices = labelled_counts(session.study)[1]
    if session.model is not None:
        return ""
    if panel.labels.case is None and slices < FEWEST:
        return _("Press Next slice in step 2.")
    if slices == 0:
        return _(
            "Paint each organ where you see it in this slice, then press Keep and next. "
            "If there is none, press No organ here."
        )
    if slices < FEWEST:
        return _("Keep painting, slice after slice: {count} of at least {fewest} are labelled.").format(
            count=slices, fewest=FEWEST
        )
    if slices < _GOOD:
        return _("Press Train in step 3; or label more first, about {good} make it markedly better.").format(good=_GOOD)
    return _("Press Train in step 3.")


def _with_a_model(panel: Panel, session: StudySession) -> str:
    if panel.train.why_not is None and session.training.news():
        return _("You have labelled or added more: press {button} in step 3.").format(button=panel.train.offer)
    if not panel.measure.done():
        return _("Segment volumes in step 4, under Segment other volumes.")
    return _to_look()


def _to_look() -> str:
    return _("Look at the volumes in step 4, cautions first: click a row to see its slice, and correct what is wrong.")
