"""Section 5, Measure: organ volumes in millilitres, as a table, a CSV file and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from . import study_session
from .jobs import Job
from .results import computeVolumes
from .section import Section, allow, fill_table, on_click, set_headings, tell
from .tables_and_plots import CASE, EXPECTED, ORGAN, VOLUME

if TYPE_CHECKING:
    from .panel import Panel


class MeasureSection(Section):
    """Measures what this module has segmented."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self._measured: list[Any] = []
        set_headings(ui.volumesTable, [_("Segmentation"), _("Organ"), _("Volume, ml"), _("Expected, ml")])
        ui.volumesTable.connect("cellClicked(int,int)", self._on_row)
        for button, action in (
            (ui.measureButton, self._measure),
            (ui.saveCsvButton, self._save),
            (ui.reportButton, self._report),
        ):
            on_click(button, ui.measureStatus, action)

    def segmentations(self) -> list[Any]:
        """What can be measured: the segmentations of this module whose volume is there."""
        made = study_session.madeFor(None, study_session.RESULT)
        return [node for node in made if study_session.volumeOf(node) is not None]

    def refresh(self) -> None:
        """Show the table and what can be done with it."""
        ui, session, table = self.ui, self.panel.session, self.panel.parameters.volumesTable
        self._measured = [node for node in self._measured if study_session.inScene(node)]
        rows = [] if table is None else [_cells(table, row) for row in range(table.GetNumberOfRows())]
        fill_table(ui.volumesTable, rows)
        nothing = None if self.segmentations() else _("There is no segmentation yet; see section 4.")
        allow(ui.measureButton, _("Measure all segmentations that this module has made."), nothing)
        allow(ui.saveCsvButton, _("Save the table for a spreadsheet."), None if rows else _("Measure first."))
        untrained = None
        if session is None or session.model is None:
            untrained = self.panel.why_no_study() or _("The study is not trained to the end yet; see section 3.")
        allow(
            ui.reportButton,
            _("Write pictures, organ volumes and all settings of the study to one file, and open it."),
            untrained or self.panel.why_busy(),
        )

    def _measure(self) -> None:
        parameters = self.panel.parameters
        parameters.volumesTable = computeVolumes(self.segmentations(), parameters.volumesTable)
        tell(self.ui.measureStatus, _("Expected: the sum of probabilities, less biased where borders are unsure."))
        self.panel.refresh()

    def _save(self) -> None:
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Save organ volumes"), "volumes.csv", _("Tables (*.csv)")
        )
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Save the table as CSV."""
        slicer.util.saveNode(self.panel.parameters.volumesTable, str(path))
        tell(self.ui.measureStatus, _("Saved {path}.").format(path=path))

    def _report(self) -> None:
        session = self.panel.session
        assert session is not None
        output = session.folder / "report.html"
        job = Job(_("Writing the report"), lambda job: study_session.report(job, session, output), "report")

        def done(job: Job) -> str:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(output)))
            return _("Report: {path}").format(path=output)

        self.panel.run(job, self.ui.measureStatus, done)

    def _on_row(self, row: int, _column: int) -> None:
        name = self.ui.volumesTable.item(row, 0).text()
        for node in self.segmentations():
            if node.GetName() == name:
                slicer.util.setSliceViewerLayers(background=study_session.volumeOf(node), fit=True)
                study_session.showOnly(node)


def _cells(table: Any, row: int) -> list[str]:
    """Segmentation, organ, counted and expected volume of a row of the table node."""
    columns = {table.GetColumnName(column): column for column in range(table.GetNumberOfColumns())}
    return [
        table.GetCellText(row, columns[name]) if name in columns else "" for name in (CASE, ORGAN, VOLUME, EXPECTED)
    ]
