"""The slice to label next: one that was found already, or what the study's resident worker finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..processes import study_jobs
from ..processes.dependencies import ensureDependencies
from ..processes.jobs import Job
from ..session.slice_suggestions import SuggestedSlice

if TYPE_CHECKING:
    from ..panel import Panel


class NextSlice:
    """Suggestions of the open study, in their order.

    Args:
        panel: of the section.
        shown: shows a suggested slice to the user.
    """

    def __init__(self, panel: Panel, shown: Callable[[SuggestedSlice], None]) -> None:
        self._panel, self._shown = panel, shown

    def why_not(self) -> str | None:
        """Why none can be suggested now, None when one can."""
        return _("A slice is being looked for.") if self._panel.logic.aside.busy else None

    def show(self) -> None:
        """Show the next suggestion, at once or when one is found.

        Raises:
            MissingPackagesError: one must be found, and packages are missing.
        """
        session = self._panel.session
        assert session is not None
        suggested = session.suggestions.next(self._is_labelled)
        if suggested is not None:
            self._shown(suggested)
            return
        ensureDependencies()
        job = Job(_("Looking for the slice to label next"), lambda job: study_jobs.suggest(job, session), "suggest")

        def done(job: Job) -> str:
            if not self._panel.shown or self._panel.session is not session:
                return _("Slices to label are found.")
            suggested = session.suggestions.next(self._is_labelled)
            if suggested is None:
                return _("No slice is left to be labelled.")
            self._shown(suggested)
            return ""

        self._panel.run(job, self._panel.ui.labelsStatus, done, aside=True)

    def _is_labelled(self, suggested: SuggestedSlice) -> bool:
        session = self._panel.session
        if session is None or not session.canShow(suggested.case):
            return True
        return session.labels.isLabelled(suggested.case, suggested.axis, suggested.index)
