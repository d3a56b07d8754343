"""What the user has drawn and kept goes into the study, while the user goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..processes.jobs import Job, JobRunner, Steps
from ..section import reported
from ..session.study_session import StudySession
from .timers import single_shot

if TYPE_CHECKING:
    from ..panel import Panel

SECONDS_TO_SAVE = 1.0  # after the last stroke of the brush
_MILLISECONDS = 20  # between looks at what is being written


class StrokeSaving:
    """Volumes whose labels have changed since they were saved.

    Args:
        panel: of the section.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._unsaved: set[str] = set()
        self._timer = single_shot(int(1000 * SECONDS_TO_SAVE), self.begin)
        self._runner = JobRunner(_MILLISECONDS)

    def note(self, case: str) -> None:
        """A volume has other labels."""
        self._unsaved.add(case)

    def note_stroke(self, case: str) -> None:
        """A volume was drawn on; it is saved when no further stroke follows."""
        self.note(case)
        self._timer.start()

    def begin(self) -> None:
        """Begin to save all changes; what fails is told."""
        self._timer.stop()
        session, unsaved = self._panel.session, self._unsaved
        self._unsaved = set()
        if session is None or not unsaved:
            return
        with reported(self._panel.ui.labelsStatus):
            for case in unsaved:
                if session.volumeNode(case) is not None:
                    session.labels.saveBeside(case, self._panel.runner.busy)
        if session.labels.saving.busy:
            self._watch(session)
        else:
            self._settle(session)

    def finish(self) -> None:
        """Save all changes, and return when they are on disk."""
        self.begin()
        self._runner.stop()  # whose end waits for what is being written

    def _watch(self, session: StudySession) -> None:
        def steps(job: Job) -> Steps:
            while session.labels.saving.busy:
                yield

        if not self._runner.busy:
            self._runner.start(Job(_("Saving labels"), steps, "labels"), lambda job: self._settle(session))

    def _settle(self, session: StudySession) -> None:
        with reported(self._panel.ui.labelsStatus):
            session.labels.settle()
        if self._panel.parameters is not None:
            self._panel.refresh_soon()
