"""What the user has drawn and kept goes into the study, and what others have drawn comes, while the user goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..nodes.slice_views import shown_slices, sliceName
from ..processes.job_runner import JobRunner
from ..processes.jobs import Job, Steps
from ..section import reported, tell
from ..session.study_session import StudySession
from ..session.taking_up import TakenUp
from .timers import single_shot

if TYPE_CHECKING:
    from ...annotation.sparse_labels import LabelledSlice
    from ..panel import Panel

SECONDS_TO_SAVE = 1.0  # after the last stroke of the brush
_LATELY = 30  # slices: three views for each state that the editor's Undo can go back to
_MILLISECONDS = 20  # between looks at what is being written


class StrokeSaving:
    """Volumes whose labels have changed since they were saved, or since they were read.

    Args:
        panel: of the section.
        taken_up: called with a case whose labels in the scene were changed by what others have drawn.

    Attributes:
        taking_up: whether labels are being changed from here, and not by the user.
    """

    def __init__(self, panel: Panel, taken_up: Callable[[str], None]) -> None:
        self._panel, self._taken_up = panel, taken_up
        self.taking_up = False
        self._unsaved: set[str] = set()
        self._drawn: tuple[str | None, list[LabelledSlice]] = None, []  # where lately, in the volume that is labelled
        self._timer = single_shot(int(1000 * SECONDS_TO_SAVE), self.begin)
        self._stroke_timer = single_shot(_MILLISECONDS, self._keep_strokes)  # once for all organs that a stroke changes
        self._runner, self._reader = JobRunner(_MILLISECONDS), JobRunner(_MILLISECONDS)

    def note(self, case: str) -> None:
        """A volume has other labels."""
        self._unsaved.add(case)

    def note_stroke(self, case: str) -> None:
        """A volume was drawn on; the stroke is kept at once, and all is saved when no further one follows."""
        self.note(case)
        self._stroke_timer.start()
        self._timer.start()

    def _keep_strokes(self) -> None:
        session = self._panel.session
        case = self._panel.labels.case
        if session is not None and case is not None and case in self._unsaved:
            session.labels.keepDrawn(case, self._drawn_lately(case, shown_slices(session.node(case))))

    def _drawn_lately(self, case: str, shown: list[LabelledSlice]) -> list[LabelledSlice]:
        """The slices in which a stroke was made or taken back: Undo of the editor reaches those not shown any more."""
        before = self._drawn[1] if self._drawn[0] == case else []
        places = [*(place for place in before if place not in shown), *shown][-_LATELY:]
        self._drawn = case, places
        return places if shown else []

    def begin(self) -> None:
        """Begin to save all changes; what fails is told."""
        self._timer.stop()
        self._stroke_timer.stop()
        session, unsaved = self._panel.session, self._unsaved
        self._unsaved = set()
        if session is None or not unsaved:
            return
        for case in sorted(unsaved):
            with reported(self._panel.ui.labelsStatus):  # those of one volume keep no others from being saved
                if session.volumeNode(case) is not None:
                    session.labels.saveBeside(case, self._panel.runner.busy)
        if session.labels.saving.busy:
            self._watch(session)
        else:
            self._settle(session)

    def finish(self) -> None:
        """Save all changes, and return when they are on disk."""
        self._reader.stop()
        self.begin()
        self._runner.stop()  # whose end waits for what is being written

    def look(self) -> None:
        """Bring labels that others have drawn into the scene, if the study was changed since the last look."""
        session = self._panel.session
        if session is None or self._reader.busy or self._runner.busy or self._unsaved:
            return
        if cases := session.labels.behind():
            self._reader.start(Job(_("Reading labels"), lambda job: self._take_up(session, cases), "labels"))

    def _take_up(self, session: StudySession, cases: list[str]) -> Steps:
        for case in cases:
            steps = session.labels.takeUp(case)
            while True:
                self.taking_up = True  # painting tells the observers of the segmentation at once
                try:
                    next(steps)
                except StopIteration as end:
                    self._show(session, end.value)
                    break
                finally:
                    self.taking_up = False
                yield

    def _show(self, session: StudySession, taken: TakenUp) -> None:
        if taken.is_ahead:
            self.note_stroke(taken.case)
        if not taken.shown and not taken.covered:
            return
        volume_node = session.volumeNode(taken.case)
        shown, covered = (
            ", ".join(sliceName(volume_node, place.axis, place.index) for place in places)
            for places in (taken.shown, taken.covered)
        )
        sentences = []
        if shown:
            sentences.append(
                _("Labelled elsewhere, and shown now: {case}, {places}.").format(case=taken.case, places=shown)
            )
        if covered:
            text = _("Labelled elsewhere, too, under what you have drawn and not kept: {case}, {places}.")
            sentences.append(text.format(case=taken.case, places=covered))
        tell(self._panel.ui.labelsStatus, " ".join(sentences))
        self._taken_up(taken.case)
        self._panel.refresh_soon()

    def _watch(self, session: StudySession) -> None:
        def steps(job: Job) -> Steps:
            while session.labels.saving.busy:
                yield

        if not self._runner.busy:
            self._runner.start(Job(_("Saving labels"), steps, "labels"), lambda job: self._settle(session))

    def _settle(self, session: StudySession) -> None:
        with reported(self._panel.ui.labelsStatus):
            session.labels.settle()
        self._panel.labels.set_aside.show()
        if self._panel.parameters is not None:
            self._panel.refresh_soon()
