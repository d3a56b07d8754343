"""A bar and Cancel for the long work of a step."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ..section import allow, on_click, tell

if TYPE_CHECKING:
    from ..panel import Panel
    from .jobs import Job

Widget = Any


class JobBar:
    """Shows how far the running job of some kinds is, and stops it; hidden while none runs.

    Args:
        panel: does the jobs, one by one or by the study's resident worker.
        row: the widget around bar and button.
        bar: moves to and fro while it is unknown how much is done.
        cancel: the button.
        status: for the word that the job is being stopped.
        kinds: of jobs.
    """

    def __init__(
        self, panel: Panel, row: Widget, bar: Widget, cancel: Widget, status: Widget, kinds: Collection[str]
    ) -> None:
        self._panel = panel
        self._row, self._bar, self._cancel, self._status = row, bar, cancel, status
        self._kinds = kinds
        on_click(cancel, status, self.cancel)

    @property
    def job(self) -> Job | None:
        """The job that is running."""
        jobs = (self._panel.runner.job, self._panel.logic.aside.job)
        return next((job for job in jobs if job is not None and job.running and job.kind in self._kinds), None)

    def refresh(self) -> None:
        """Show bar and button while a job runs."""
        job = self.job
        self._row.visible = job is not None
        stopping = job is None or job.cancelling
        allow(self._cancel, _("Stop within two seconds."), _("Nothing is running.") if stopping else None)
        self.show_progress()

    def show_progress(self) -> None:
        """How much is done; called many times a second."""
        job = self.job
        if job is None:
            return
        self._bar.setFormat(f"{job.doing} %p %" if job.doing else "%p %")
        self._bar.setMaximum(0 if job.progress is None else 100)
        if job.progress is not None:
            self._bar.setValue(round(100 * job.progress))

    def cancel(self) -> None:
        """Stop the job."""
        job = self.job
        if job is not None:
            job.cancel()
            tell(self._status, _("Stopping …"))
            self._panel.refresh()
