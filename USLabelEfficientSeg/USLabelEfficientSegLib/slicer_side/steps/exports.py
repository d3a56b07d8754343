"""Step 4, Results: what the table shows is given away as CSV, report or DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ...disk.study_layout import REPORT_NAME
from ...errors import InputError
from ..nodes import study_nodes
from ..processes import study_jobs
from ..processes.dependencies import ensureDependencies
from ..processes.jobs import Job, Steps
from ..results.dicom_results import cameAsDicom, exportDicom
from ..results.result_reports import writeReport
from ..section import allow, on_click
from .measured import Measured

if TYPE_CHECKING:
    from ..panel import Panel


class Exports:
    """Files of the results. Each is of the segments as they are now: they are measured first.

    Args:
        panel: of the section.
        measured: the results.
    """

    def __init__(self, panel: Panel, measured: Measured) -> None:
        self._panel, self._ui, self._measured = panel, panel.ui, measured
        ui = self._ui
        for button, action in (
            (ui.saveCsvButton, self._save),
            (ui.reportButton, self._report),
            (ui.dicomButton, self._export_dicom),
        ):
            on_click(button, ui.resultsStatus, action)

    def refresh(self, any_rows: bool) -> None:
        """What can be given away, and why not; `any_rows`: whether the table shows something."""
        ui, busy = self._ui, self._panel.why_busy()
        no_rows = None if any_rows else _("There is no result yet.")
        allow(ui.saveCsvButton, _("Save the table for a spreadsheet."), no_rows or busy)
        nothing = self._measured.why_nothing()
        allow(
            ui.reportButton,
            _(
                "Write what the table shows, with pictures, intervals and all settings, to one file. Organs that you "
                "have corrected say so, and have no interval."
            ),
            nothing or busy,
        )
        none_came = None
        scene = self._panel.scene
        if not scene.once("from DICOM", lambda: scene.results_came_as_dicom):
            none_came = _("No segmented volume was loaded from DICOM.")
        allow(
            ui.dicomButton,
            _("Write segmentations (SEG) and measurements (SR) that belong to the DICOM images."),
            nothing or none_came or busy,
        )

    def _save(self) -> None:
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Save organ volumes"), "volumes.csv", _("Tables (*.csv)")
        )
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Measure, and save the table as CSV."""

        def steps(job: Job) -> Steps:
            if not (yield from self._measured.measuring(job)):  # the scene was closed meanwhile
                raise InputError(_("The table"), "has no results any more", "segment and measure again")
            slicer.util.saveNode(self._panel.parameters.volumesTable, str(path))

        def done(job: Job) -> str:
            return _("Saved {path}.").format(path=path)

        self._panel.run(Job(_("Saving the table"), steps, "measure"), self._ui.resultsStatus, done)

    def _report(self) -> None:
        session, pdf = self._panel.session, self._ui.pdfCheckBox.checked
        output = self._report_place()
        if output is None:
            return
        ensureDependencies()
        nodes = self._measured.nodes()
        own = session is not None and any(
            node.GetAttribute(study_nodes.STUDY) == session.study.created for node in nodes
        )
        study = session.folder if session is not None and own and session.model is not None else None
        logs = self._logs()
        images = self._measured.images()
        write = writeReport if images is None else images.report
        given = (output, pdf) if images is not None else (nodes, output, logs, study, pdf)

        def steps(job: Job) -> Steps:
            yield from self._measured.measuring(job)  # the report is of the segments as they are now: so is the table
            return (yield from write(job, *given))

        job = Job(_("Writing the report"), steps, "report")

        def done(job: Job) -> str:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(job.result)))
            return _("Report: {path}").format(path=job.result)

        self._panel.run(job, self._ui.resultsStatus, done)

    def _report_place(self) -> Path | None:
        """Beside the study, or where the user wants it if no study is open."""
        if self._panel.session is not None:
            return self._panel.session.folder / REPORT_NAME
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Write report"), REPORT_NAME, _("Reports (*.html)")
        )
        return Path(path) if path else None

    def _logs(self) -> Path:
        session = self._panel.session
        return session.logs if session is not None else study_jobs.logsOfNoStudy()

    def _export_dicom(self) -> None:
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder for the DICOM files"))
        if not path:
            return
        ensureDependencies()
        nodes = [node for node in study_nodes.results() if cameAsDicom(study_nodes.volumeOf(node))]
        logs = self._logs()

        def steps(job: Job) -> Steps:
            yield from self._measured.measuring(job)
            return (yield from exportDicom(job, nodes, Path(path), logs))

        job = Job(_("Exporting DICOM"), steps, "export-dicom")

        def done(job: Job) -> str:
            return _("{count} DICOM files in {path}.").format(count=len(job.result), path=path)

        self._panel.run(job, self._ui.resultsStatus, done)
