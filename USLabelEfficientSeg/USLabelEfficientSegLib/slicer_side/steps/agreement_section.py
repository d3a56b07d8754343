"""Part of step 4, Results: results beside an expert's references, and intervals calibrated with these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ...errors import InputError
from ..node_list import NodeList
from ..nodes import study_nodes
from ..nodes.tables_and_plots import showChart
from ..processes.calibration_jobs import calibrate
from ..processes.dependencies import ensureDependencies
from ..processes.jobs import Job
from ..results.agreement import BLAND_ALTMAN, agreementNodes, comparing
from ..results.results import ofImage
from ..section import Section, allow, fill_table, on_click, set_headings

if TYPE_CHECKING:
    from ..panel import Panel


class AgreementSection(Section):
    """Compares and calibrates with references."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        headings = [_("Organ"), _("Cases"), _("Bias, ml"), _("Limits, ml"), _("ICC(2,1)")]
        distances = [_("Dice"), _("HD95,\nmm"), _("Surfaces,\nmm")]
        set_headings(ui.agreementTable, [*headings, *distances])
        self._list = NodeList(ui.referenceList, self.panel.refresh_soon)
        ui.referenceFileEdit.connect("currentPathChanged(QString)", lambda path: self.panel.refresh_soon())
        on_click(ui.agreementButton, ui.resultsStatus, self._compare)
        on_click(ui.calibrateButton, ui.resultsStatus, self._calibrate)

    def refresh(self) -> None:
        """Show references, agreement, and what can be done."""
        ui, scene, table = self.ui, self.panel.scene, self.panel.parameters.agreementTable
        self._list.show(scene.references, self._list.checked(), stamp=scene.references_stamp)
        rows = [] if table is None else _agreement_cells(table)
        fill_table(ui.agreementTable, rows)
        ui.agreementTable.visible = bool(rows)
        ticked = self._list.checked()
        nothing = self._why_nothing()
        missing = None
        if not ticked and not ui.referenceFileEdit.currentPath:
            missing = _("Tick a segmentation by an expert, or choose a table of reference volumes.")
        tip = _("Show a Bland-Altman plot, a scatter plot, the limits of agreement, and distances of the surfaces.")
        allow(ui.agreementButton, tip, nothing or missing or self.panel.why_busy())
        tip = _("Find the intervals of the study's model anew, with the ticked references; replaces its earlier ones.")
        untrained = None
        if self.panel.session is None or self.panel.session.model is None:
            untrained = self.panel.why_no_study() or _("The study is not trained to the end yet; see step 3.")
        unticked = None if ticked else _("Tick the reference segmentations first.")
        allow(ui.calibrateButton, tip, self._why_images() or untrained or unticked or self.panel.why_busy())

    def _why_nothing(self) -> str | None:
        """Why there is nothing to compare with references, None when there is something."""
        scene = self.panel.scene
        if not scene.results:
            return self._why_images() or _("There is no segmentation yet.")
        if scene.once("only images", lambda: scene.results_are_images):
            return _only_volumes()
        return None

    def _why_images(self) -> str | None:
        """Why references are of no use in a study of images."""
        session = self.panel.session
        return _only_volumes() if session is not None and session.isPlanar else None

    def _compare(self) -> None:
        from ...evaluation.reference_volumes import read_reference_volumes

        file = self.ui.referenceFileEdit.currentPath
        volumes_ml = read_reference_volumes(Path(file)) if file else {}
        results = [node for node in study_nodes.results() if not ofImage(node)]
        references = self._list.checked()
        job = Job(_("Comparing"), lambda job: comparing(results, references, volumes_ml, job), "compare")

        def done(job: Job) -> str:
            parameters = self.panel.parameters
            parameters.agreementTable = table = agreementNodes(job.result, parameters.agreementTable)
            showChart(table.GetNodeReference(BLAND_ALTMAN))
            cases = len({one.case for one in job.result})
            return _("Compared {cases} segmentations. The plot view offers the scatter plot, too.").format(cases=cases)

        self.panel.run(job, self.ui.resultsStatus, done)

    def _calibrate(self) -> None:
        session = self.panel.session
        assert session is not None
        references = self._list.checked()
        for node in references:
            if session.caseOf(study_nodes.volumeOf(node)) is not None:
                problem = "is drawn on a volume of the study, which the model knows"
                raise InputError(node.GetName(), problem, "untick it, and give references of other volumes")
        ensureDependencies()
        model, device = session.folder, self.panel.parameters.device

        def done(job: Job) -> str:
            found = "; ".join(job.result)
            text = _("Calibrated on {count} volumes: {found}. Segment the volumes again to have the new intervals.")
            return text.format(count=len(references), found=found)

        job = Job(_("Calibration"), lambda job: calibrate(job, references, model, session.logs, device), "calibrate")
        self.panel.run(job, self.ui.resultsStatus, done)


def _only_volumes() -> str:
    return _("References are for volumes alone: 2-D images are neither compared nor calibrated here.")


def _agreement_cells(table: Any) -> list[list[str]]:
    """Organ, cases, bias, limits, ICC, Dice and distances of a row of the table node."""
    names = {table.GetColumnName(column): column for column in range(table.GetNumberOfColumns())}
    shown = ("Organ", "Cases", "Bias [ml]", "Lower limit [ml]", "Upper limit [ml]", "ICC(2,1)", "Mean Dice")
    distances = ("Mean HD95 [mm]", "Mean surface distance [mm]")
    rows = []
    for row in range(table.GetNumberOfRows()):
        organ, cases, bias, lower, upper, *others = (
            table.GetCellText(row, names[name]) if name in names else "" for name in (*shown, *distances)
        )
        limits = f"{lower} … {upper}" if lower else "–"
        rows.append([organ, cases, bias, limits, *(text or "–" for text in others)])
    return rows
