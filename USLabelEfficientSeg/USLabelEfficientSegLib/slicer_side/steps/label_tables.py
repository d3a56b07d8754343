"""The tables of step 2: the study's volumes with how much of each is labelled, and the labelled slices of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..remembered import Remembered
from ..section import TextTable, fill_table, set_headings, silent
from ..session.labels_overview import LabelsOverview, fraction_of, slice_rows

if TYPE_CHECKING:
    from ..panel import Panel


class LabelTables:
    """Fills the tables, and below them the share of all slices that is labelled.

    Args:
        panel: of the section.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        set_headings(self._ui.labelTable, _headings(planar=False))
        set_headings(self._ui.sliceTable, [_("Labelled slice"), _("Shows")])
        self._volumes, self._overview, self._remembered = TextTable(self._ui.labelTable), LabelsOverview(), Remembered()

    def show(self, case: str | None) -> None:
        """Bring both up to date.

        Args:
            case: the volume that is being labelled: it is selected, and its slices are listed.
        """
        self._show_volumes(case)
        session = self._panel.session
        fill_table(self._ui.sliceTable, [] if session is None or case is None else slice_rows(session, case))

    def _show_volumes(self, case: str | None) -> None:
        session, scene, table = self._panel.session, self._panel.scene, self._ui.labelTable
        rows: list[list[str]] = []
        row_of: dict[str, int] = {}
        fraction = ""
        if session is None:
            rows = scene.once("no labels", list)
        else:
            study = (session.study.created, session.study.cases)
            covered, rows = scene.once("covered", lambda: self._overview.look(session, scene), *study)
            row_of = self._remembered.once(
                "row of", lambda: {case: row for row, case in enumerate(session.cases())}, *study
            )
            fraction = scene.once("label fraction", lambda: fraction_of(covered, session.isPlanar), *study)
        table.setHorizontalHeaderLabels(_headings(session is not None and session.isPlanar))
        self._volumes.show(rows)
        with silent(table):
            if case in row_of:
                table.selectRow(row_of[case])
            else:
                table.clearSelection()
        self._ui.labelFractionLabel.text = fraction


def _headings(planar: bool) -> list[str]:
    """Of the table of what is labelled."""
    return [_("Image") if planar else _("Volume"), _("Labelled"), _("Share")]
