"""Step 4, Results: organ volumes or areas as cards and table, and where the model is least sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ...text.numbers import MILLILITRE, VolumeUnit
from ..nodes import study_nodes
from ..nodes.ellipse_markups import showEllipses
from ..nodes.slice_views import labelling_view, showScan
from ..nodes.uncertainty_view import UncertaintyView
from ..processes.job_bar import JobBar
from ..processes.jobs import Job
from ..results.image_measurements import imageMeasurements
from ..results.image_rows import SQUARE_MILLIMETRE
from ..results.organ_cards import OrganCards
from ..results.results import ofImage
from ..results.results_table import AnyRow, headings, rows_of, unit_of
from ..results.unsure_slices import is_known, least_sure_place, show_least_sure
from ..section import Section, allow, fill_table, on_click, reported, set_headings, tell
from .exports import Exports
from .measured import Measured

if TYPE_CHECKING:
    from ..panel import Panel

JOBS = ("segment", "measure", "report", "export-dicom", "compare", "calibrate")
_MOST_ROWS = 20  # that are shown without scrolling
_WIDEST_CAUTION = "components"  # the longest word of any; between words they are wrapped


class MeasureSection(Section):
    """Shows what this module has found; `exports` gives it away."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self.bar = JobBar(panel, ui.resultsJobRow, ui.resultsProgress, ui.cancelResultsButton, ui.resultsStatus, JOBS)
        self._measured = Measured(panel)
        self._exports = Exports(panel, self._measured)
        self._cards = OrganCards(ui.cardsContainer)
        self._uncertainty = UncertaintyView()
        self._rows: list[AnyRow] = []
        self._stamp: Any = None  # of the table node when its rows were read
        self._largest: dict[str, float] = {}  # for each organ where the bars of its cards end
        self._case = ""  # that the cards are about
        self._fitted_width = 0  # of the table when its rows were made as high as their words need
        self._make_table()
        ui.volumesTable.connect("cellClicked(int,int)", self._on_row)
        ui.volumesTable.connect("itemSelectionChanged()", self._on_selection)
        ui.volumesTable.connect("cellActivated(int,int)", self._on_activated)
        ui.uncertaintyCheckBox.connect("toggled(bool)", lambda shown: self.panel.refresh_soon())
        self.signals.segmented.connect(self._on_segmented)
        for button, action in (
            (ui.correctButton, self._correct),
            (ui.measureButton, self._measure),
        ):
            on_click(button, ui.resultsStatus, action)

    def done(self) -> bool:
        """Whether there are results."""
        return bool(self._rows)

    def refresh(self) -> None:
        """Show cards and table, and what can be done with them."""
        ui = self.ui
        rows = self._rows_now()
        ui.resultsHelp.visible = not rows
        for widget in (ui.lookLabel, ui.volumesTable, ui.correctButton, ui.uncertaintyRow):
            widget.visible = bool(rows)
        if rows is not self._rows:
            self._fill(rows)
            self.panel.refresh_soon()  # the table has its width only when it is shown
        elif ui.volumesTable.width != self._fitted_width:
            self._fit_table()
        self._show_cards()
        tip = _("Measure all segmentations that this module has made.")
        allow(ui.measureButton, tip, self._measured.why_nothing() or self.panel.why_busy())
        tip = _("Correct the slice where the model is least sure of the chosen organ, in step 2 (double-click, Enter).")
        allow(ui.correctButton, tip, self._why_no_correction())
        self._exports.refresh(self.done())
        wanted = self.panel.parameters.uncertainty
        ui.uncertaintyLegend.visible = self._uncertainty.update(wanted)
        self.bar.refresh()

    def show_progress(self) -> None:
        """How far the running work is; called many times a second."""
        self.bar.show_progress()

    def leave(self) -> None:
        """Other modules find the views as their users know them."""
        self._uncertainty.update(wanted=False)

    # The table and the cards

    def _make_table(self) -> None:
        table = self.ui.volumesTable
        set_headings(table, headings(MILLILITRE))
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.Fixed)
        header.setSectionResizeMode(1, qt.QHeaderView.Stretch)
        table.setWordWrap(True)

    def _rows_now(self) -> list[AnyRow]:
        """The rows of the table node, the same list for as long as it is not changed."""
        table = self.panel.parameters.volumesTable
        stamp = None if table is None else (table.GetID(), table.GetMTime(), table.GetTable().GetMTime())
        if stamp == self._stamp:
            return self._rows
        self._stamp = stamp
        return list(rows_of(table))

    def _fill(self, rows: list[AnyRow]) -> None:
        """Fill the table, as high as its rows, and keep the case that is looked at."""
        table = self.ui.volumesTable
        self._rows, self._largest = rows, {}
        for row in rows:
            end = row.value if row.interval is None else max(row.interval[1], row.value)
            self._largest[row.organ] = max(self._largest.get(row.organ, 0.0), end)
        unit = unit_of(rows)
        table.setHorizontalHeaderLabels(headings(unit))
        fill_table(table, [row.cells(unit) for row in rows])
        for number, row in enumerate(rows):
            told = "\n".join([f"{row.scan}, {row.organ}", *row.sentences])
            for column in range(table.columnCount):
                table.item(number, column).setToolTip(told)
        cases = [row.case for row in rows]
        if self._case not in cases:
            self._case = cases[0] if cases else ""
            of_volumes = _("Click a row: the views show the slice where the model is least sure.")
            of_images = unit is SQUARE_MILLIMETRE
            tell(self.ui.lookLabel, _("Click a row to see its image.") if of_images else of_volumes)
        self._fit_table()

    def _fit_table(self) -> None:
        """As high as its rows: all are seen, up to a number."""
        table = self.ui.volumesTable
        self._fitted_width = table.width
        metrics = table.fontMetrics()
        widest = max(map(metrics.horizontalAdvance, (_WIDEST_CAUTION, _("Cautions"))))
        table.setColumnWidth(0, widest + metrics.horizontalAdvance("xx"))
        table.resizeRowsToContents()
        heights = [table.rowHeight(row) for row in range(min(table.rowCount, _MOST_ROWS))]
        table.setFixedHeight(table.horizontalHeader().sizeHint.height() + sum(heights) + 2 * table.frameWidth + 2)

    def _show_cards(self) -> None:
        """The organs of the case that is looked at."""
        own = [row for row in self._rows if row.case == self._case]
        tell(self.ui.cardsCaption, own[0].scan if own else "")
        self.ui.cardsCaption.visible = bool(own)
        self._cards.show(own, self._unit(), self._largest, self._colours())

    def _unit(self) -> VolumeUnit:
        return unit_of(self._rows)

    def _colours(self) -> dict[str, tuple[float, float, float]]:
        node = self._result(self._case)
        if node is None:
            return {}
        segmentation = node.GetSegmentation()
        segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
        return {segment.GetName(): tuple(segment.GetColor()) for segment in segments}

    def _result(self, case: str) -> Any:
        """The segmentation node of a row, None when it was removed."""
        return self.panel.scene.result_named(case)

    def _on_selection(self) -> None:
        row = self.ui.volumesTable.currentRow()
        if 0 <= row < len(self._rows):
            self._on_row(row)

    def _on_row(self, number: int) -> None:
        """Look at an organ: its card, and the slice where the model is least sure of it."""
        if self.panel.parameters is None or number >= len(self._rows):
            return
        row = self._rows[number]
        self._case = row.case
        with reported(self.ui.resultsStatus):
            self._look_at(row)
        self.panel.refresh()

    def _look_at_image(self, node: Any) -> None:
        showEllipses(node, imageMeasurements(node))
        showScan(study_nodes.volumeOf(node))
        study_nodes.showOnly(node)
        tell(self.ui.lookLabel, _("The thin curve is the fitted ellipse."))

    def _look_at(self, row: AnyRow) -> None:
        node, images = self._result(row.case), self._measured.images()
        if node is None and images is not None and (case := images.caseOf(row.case)) is not None:
            node = images.show(case)
        if node is not None and ofImage(node):
            self._look_at_image(node)
            return
        if node is None:
            tell(self.ui.lookLabel, _("This segmentation is no longer in the scene; measure again."))
            return
        slicer.util.setSliceViewerLayers(background=study_nodes.volumeOf(node), fit=True)
        study_nodes.showOnly(node)
        show_least_sure(node, row.organ, self._slice_axis())
        text = _("Look there first: the {view} view shows the slice where the model is least sure of {organ}.")
        if not is_known(node):
            text = _("There is no uncertainty map; the views show the middle of {organ}.")
        view = labelling_view().mrmlSliceNode().GetLayoutName().lower()
        tell(self.ui.lookLabel, text.format(view=view, organ=row.organ))

    def _slice_axis(self) -> int:
        """Across which slices are labelled."""
        session = self.panel.session
        return 2 if session is None else session.study.slice_axis

    # From a row to its correction

    def _why_no_correction(self) -> str | None:
        """Why the slice of the chosen row cannot be corrected, None when it can."""
        row = self._chosen_row()
        if row is None:
            return _("Choose a row of the table first.")
        node, images, session = self._result(row.case), self._measured.images(), self.panel.session
        if node is None and (images is None or images.caseOf(row.case) is None):
            return _("This segmentation is no longer in the scene; measure again.")
        if session is None or (node is not None and session.caseOf(study_nodes.volumeOf(node)) is None):
            return self.panel.why_no_study() or _("Only volumes of the open study can be corrected; add it in step 1.")
        return None

    def _chosen_row(self) -> AnyRow | None:
        number = self.ui.volumesTable.currentRow()
        return self._rows[number] if 0 <= number < len(self._rows) else None

    def _on_activated(self, row: int, _column: int) -> None:
        """A double click, or the Enter key: the row is that of the table as the user saw it."""
        if row == self.ui.volumesTable.currentRow():
            with reported(self.ui.resultsStatus):
                self._correct()

    def _correct(self) -> None:
        """Let the user correct the slice of the chosen row in step 2."""
        row, reason = self._chosen_row(), self._why_no_correction()
        if row is None or reason is not None:
            tell(self.ui.resultsStatus, reason or "", bad=True)
            return
        node, images = self._result(row.case), self._measured.images()
        if node is None and images is not None and (case := images.caseOf(row.case)) is not None:
            node = images.show(case)
        if ofImage(node):
            self.signals.correction_wanted.emit(study_nodes.volumeOf(node), 2, 0)
            return
        axis = self._slice_axis()
        index = least_sure_place(node, row.organ, axis)[axis]
        self.signals.correction_wanted.emit(study_nodes.volumeOf(node), axis, index)

    # What the user does

    def _measure(self, silently: bool = False) -> None:
        """Bring the table up to date; silently: what is told already stays."""

        def done(job: Job) -> str:
            told: str = self.ui.resultsStatus.text
            return told if silently else _("Measured {count} segmentations.").format(count=job.result)

        self.panel.run(Job(_("Measuring"), self._measured.measuring, "measure"), self.ui.resultsStatus, done)

    def _on_segmented(self, _nodes: Sequence[Any]) -> None:
        if self.panel.parameters is not None and not self.panel.runner.busy:
            self._measure(silently=True)
