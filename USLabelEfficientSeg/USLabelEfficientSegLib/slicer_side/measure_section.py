"""Step 4, Results: organ volumes in millilitres, as table, CSV, report and DICOM, and beside references."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ..disk.study_layout import REPORT_NAME
from ..measurement.flags import Flag
from ..text.numbers import MILLILITRE, VolumeUnit, volume_unit
from . import study_jobs, study_nodes
from .agreement import BLAND_ALTMAN, agreementNodes, compare
from .dependencies import ensureDependencies
from .dicom_results import cameAsDicom, exportDicom
from .jobs import Job
from .node_measurements import EDITED
from .results import computeVolumes
from .section import Section, allow, checked_nodes, fill_node_list, fill_table, on_click, set_headings, tell
from .tables_and_plots import CASE, CAUTIONS, HIGH, LOW, ORGAN, OUTLINE, VOLUME, showChart

if TYPE_CHECKING:
    from .panel import Panel

CAUTIONS_COLUMN = 5  # of the table in the panel


class MeasureSection(Section):
    """Measures what this module has segmented."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self._measured: list[Any] = []
        set_headings(ui.volumesTable, _headings(MILLILITRE))
        ui.volumesTable.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)
        set_headings(
            ui.agreementTable, [_("Organ"), _("Cases"), _("Bias, ml"), _("Limits, ml"), _("ICC(2,1)"), _("Dice")]
        )
        ui.volumesTable.connect("cellClicked(int,int)", self._on_row)
        ui.referenceList.connect("itemChanged(QListWidgetItem*)", lambda item: self.panel.refresh_soon())
        ui.referenceFileEdit.connect("currentPathChanged(QString)", lambda path: self.panel.refresh_soon())
        for button, action in (
            (ui.measureButton, self._measure),
            (ui.saveCsvButton, self._save),
            (ui.reportButton, self._report),
            (ui.dicomButton, self._export_dicom),
            (ui.agreementButton, self._compare),
        ):
            on_click(button, ui.measureStatus, action)

    def segmentations(self) -> list[Any]:
        """The segmentations that can be measured: made by this module, with their volume in the scene."""
        made = study_nodes.madeFor(None, study_nodes.RESULT)
        return [node for node in made if study_nodes.volumeOf(node) is not None]

    def refresh(self) -> None:
        """Show the table and what can be done with it."""
        ui, session, table = self.ui, self.panel.session, self.panel.parameters.volumesTable
        self._measured = [node for node in self._measured if study_nodes.inScene(node)]
        unit = MILLILITRE if table is None else _unit_of(table)
        rows = [] if table is None else [_cells(table, row, unit) for row in range(table.GetNumberOfRows())]
        ui.volumesTable.setHorizontalHeaderLabels(_headings(unit))
        fill_table(ui.volumesTable, rows)
        nothing = None if self.segmentations() else _("There is no segmentation yet; press Segment first.")
        allow(ui.measureButton, _("Measure all segmentations that this module has made."), nothing)
        allow(ui.saveCsvButton, _("Save the table for a spreadsheet."), None if rows else _("Measure first."))
        self._refresh_dicom(nothing)
        self._refresh_agreement(nothing)
        untrained = None
        if session is None or session.model is None:
            untrained = self.panel.why_no_study() or _("The study is not trained to the end yet; see step 3.")
        allow(
            ui.reportButton,
            _(
                "Segment the study's volumes anew, and write pictures, organ volumes, intervals and all settings to "
                "one file, without your corrections by hand."
            ),
            untrained or self.panel.why_busy(),
        )

    def _measure(self) -> None:
        parameters = self.panel.parameters
        parameters.volumesTable = computeVolumes(self.segmentations(), parameters.volumesTable)
        text = _(
            "Outline volume: counted voxels. Without probabilities it is the volume, too. Click a row for cautions."
        )
        tell(self.ui.measureStatus, text)
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
        output, pdf = session.folder / REPORT_NAME, self.ui.pdfCheckBox.checked
        job = Job(_("Writing the report"), lambda job: study_jobs.report(job, session, output, pdf), "report")

        def done(job: Job) -> str:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(job.result)))
            return _("Report: {path}").format(path=job.result)

        self.panel.run(job, self.ui.measureStatus, done)

    def _refresh_dicom(self, nothing: str | None) -> None:
        none_came = None
        if not any(cameAsDicom(study_nodes.volumeOf(node)) for node in self.segmentations()):
            none_came = _("No segmented volume was loaded from DICOM.")
        allow(
            self.ui.dicomButton,
            _("Write segmentations (SEG) and measurements (SR) that belong to the DICOM images."),
            nothing or none_came or self.panel.why_busy(),
        )

    def _export_dicom(self) -> None:
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder for the DICOM files"))
        if not path:
            return
        ensureDependencies()
        nodes = [node for node in self.segmentations() if cameAsDicom(study_nodes.volumeOf(node))]
        session = self.panel.session
        logs = session.logs if session is not None else study_jobs.logsOfNoStudy()
        job = Job(_("Exporting DICOM"), lambda job: exportDicom(job, nodes, Path(path), logs), "export-dicom")

        def done(job: Job) -> str:
            return _("{count} DICOM files in {path}.").format(count=len(job.result), path=path)

        self.panel.run(job, self.ui.measureStatus, done)

    def references(self) -> list[Any]:
        """Segmentations that may be an expert's: drawn on a volume, and not by this module."""
        return [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
            if node.GetAttribute(study_nodes.ROLE) is None
            and not node.GetHideFromEditors()
            and study_nodes.volumeOf(node) is not None
        ]

    def _refresh_agreement(self, nothing: str | None) -> None:
        ui, table = self.ui, self.panel.parameters.agreementTable
        fill_node_list(ui.referenceList, self.references(), checked_nodes(ui.referenceList), [])
        fill_table(ui.agreementTable, [] if table is None else _agreement_cells(table))
        missing = None
        if not checked_nodes(ui.referenceList) and not ui.referenceFileEdit.currentPath:
            missing = _("Tick a segmentation by an expert, or choose a table of reference volumes.")
        tip = _("Show a Bland-Altman plot, a scatter plot and the limits of agreement.")
        allow(ui.agreementButton, tip, nothing or missing)

    def _compare(self) -> None:
        from ..evaluation.reference_volumes import read_reference_volumes

        parameters, file = self.panel.parameters, self.ui.referenceFileEdit.currentPath
        volumes_ml = read_reference_volumes(Path(file)) if file else {}
        compared = compare(self.segmentations(), checked_nodes(self.ui.referenceList), volumes_ml)
        parameters.agreementTable = table = agreementNodes(compared, parameters.agreementTable)
        showChart(table.GetNodeReference(BLAND_ALTMAN))
        cases = len({one.case for one in compared})
        text = _("Compared {cases} segmentations. The plot view offers the scatter plot, too.").format(cases=cases)
        tell(self.ui.measureStatus, text)
        self.panel.refresh()

    def _on_row(self, row: int, _column: int) -> None:
        table = self.panel.parameters.volumesTable
        name = table.GetCellText(row, table.GetColumnIndex(CASE))
        for node in self.segmentations():
            if node.GetName() == name:
                slicer.util.setSliceViewerLayers(background=study_nodes.volumeOf(node), fit=True)
                study_nodes.showOnly(node)
        cautions = self.ui.volumesTable.item(row, CAUTIONS_COLUMN).text()
        tell(self.ui.measureStatus, " ".join(_sentence(caution) for caution in cautions.split(", ") if caution))


def _headings(unit: VolumeUnit) -> list[str]:
    volumes = (_("Volume"), _("Outline"), _("90 % interval"))
    return [_("Segmentation"), _("Organ"), *(f"{name},\n{unit.name}" for name in volumes), _("Cautions")]


def _unit_of(table: Any) -> VolumeUnit:
    column = table.GetColumnIndex(VOLUME)
    return volume_unit(float(table.GetCellText(row, column)) for row in range(table.GetNumberOfRows()))


def _cells(table: Any, row: int, unit: VolumeUnit) -> list[str]:
    """Segmentation, organ, volume and outline volume, interval, and cautions of a row of the table node."""
    columns = {table.GetColumnName(column): column for column in range(table.GetNumberOfColumns())}
    names = (CASE, ORGAN, VOLUME, OUTLINE, LOW, HIGH, CAUTIONS)
    name, organ, *volumes, low, high, cautions = (
        table.GetCellText(row, columns[n]) if n in columns else "" for n in names
    )
    # A narrow panel hides the last column: why an edited organ has no interval must be seen without scrolling.
    missing = EDITED if EDITED in cautions else "–"
    case = name.replace(" segmentation", "")  # all are; the panel has no room for it
    volumes = [unit.text(float(ml)) if ml else "" for ml in volumes]
    interval = f"{unit.text(float(low))} … {unit.text(float(high))}" if low else missing
    return [case, organ, *volumes, interval, cautions]


def _sentence(caution: str) -> str:
    """The meaning of a caution in the table."""
    if caution == EDITED:
        return _("It was edited since the model found it, so its outline volume counts and there is no interval.")
    return Flag(caution.replace(" ", "_")).sentence


def _agreement_cells(table: Any) -> list[list[str]]:
    """Organ, cases, bias, limits of agreement, ICC and Dice of a row of the table node."""
    rows = []
    for row in range(table.GetNumberOfRows()):
        organ, cases, bias, lower, upper, absolute, _consistency, overlap = (
            table.GetCellText(row, column) for column in range(table.GetNumberOfColumns())
        )
        rows.append([organ, cases, bias, f"{lower} … {upper}" if lower else "–", absolute or "–", overlap or "–"])
    return rows
