"""The table of organs: their names are edited in it, their colours and terminology chosen in a dialog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ...annotation.organ_codes import organ_code
from ..nodes.segmentation_nodes import Organ, organsNamed
from ..nodes.terminology import meaning_of
from ..section import set_headings, silent, text_item
from .terminology_choice import choose_terminology

NAME, COLOUR, TERMINOLOGY = range(3)


class OrganTable:
    """Shows organs in a QTableWidget and tells what the user makes of them.

    Args:
        table: the widget.
        organs: gives the organs as they are now.
        changed: called with the organs as the user wants them.
        refused: called with the reason why a name cannot be taken.
    """

    def __init__(
        self,
        table: Any,
        organs: Callable[[], list[Organ]],
        changed: Callable[[list[Organ]], None],
        refused: Callable[[str], None],
    ) -> None:
        self._table = table
        self._organs, self._changed, self._refused = organs, changed, refused
        self._fixed = False
        set_headings(table, [_("Organ"), _("Colour"), _("Terminology")])
        table.connect("itemChanged(QTableWidgetItem*)", self._on_named)
        table.connect("cellActivated(int,int)", self._on_activated)
        table.connect("cellClicked(int,int)", self._on_clicked)

    def refresh(self, fixed: bool) -> None:
        """Show the organs; what is right already, and so an editor that is open in it, is left alone.

        Args:
            fixed: the names cannot be changed.
        """
        organs, table, self._fixed = self._organs(), self._table, fixed
        with silent(table):
            table.setRowCount(len(organs))
            for row, organ in enumerate(organs):
                for column, text in ((NAME, organ.name), (COLOUR, ""), (TERMINOLOGY, meaning_of(organ.terminology))):
                    _show_text(table, row, column, text, editable=column == NAME and not fixed)
                _show_colour(table.item(row, COLOUR), organ.colour)

    def add(self) -> None:
        """Add an organ, and let the user name it."""
        names = [organ.name for organ in self._organs()]
        added = organsNamed([*names, _new_name(names)])[-1]
        self._changed([*self._organs(), added])
        self._table.setFocus()
        self._table.setCurrentCell(len(names), NAME)
        self._table.editItem(self._table.item(len(names), NAME))

    def remove(self) -> None:
        """Remove the chosen organ."""
        row = self._table.currentRow()
        self._changed([organ for number, organ in enumerate(self._organs()) if number != row])

    def _on_named(self, item: Any) -> None:
        organs, row, name = self._organs(), item.row(), item.text().strip()
        if item.column() != NAME or row >= len(organs):  # an editor may outlive the scene that the organs were of
            return
        reason = why_no_name(name, [organ.name for number, organ in enumerate(organs) if number != row])
        if reason is None and name != organs[row].name:
            known = organsNamed([name])[0].terminology if organ_code(name) else organs[row].terminology
            organs[row] = replace(organs[row], name=name, terminology=known)
            self._changed(organs)
        self.refresh(self._fixed)  # a name that was refused gives way to the old one
        if reason is not None:
            self._refused(reason)

    def _on_clicked(self, row: int, column: int) -> None:
        if column == COLOUR and self._shows(row):
            self._choose_colour(row)

    def _on_activated(self, row: int, column: int) -> None:
        """A double click, or the Enter key."""
        if column == TERMINOLOGY and self._shows(row):
            self._choose_terminology(row)
        elif column == NAME and not self._fixed:
            self._table.editItem(self._table.item(row, NAME))

    def _shows(self, row: int) -> bool:
        """Whether a row is of an organ of now: for a moment it may be of a study that was left."""
        return row < len(self._organs())

    def _choose_colour(self, row: int) -> None:
        organs = self._organs()
        now = qt.QColor.fromRgbF(*organs[row].colour)
        colour = qt.QColorDialog.getColor(now, slicer.util.mainWindow(), organs[row].name)
        if colour.isValid() and organs == self._organs():  # not of another study that was opened meanwhile
            organs[row] = replace(organs[row], colour=(colour.redF(), colour.greenF(), colour.blueF()))
            self._changed(organs)

    def _choose_terminology(self, row: int) -> None:
        organs = self._organs()
        entry = choose_terminology(organs[row].terminology, organs[row].name)
        if entry is None or organs != self._organs():
            return
        organs[row] = replace(organs[row], terminology=entry)
        name, others = meaning_of(entry).lower(), [organ.name for organ in organs]
        if not self._fixed and _is_unnamed(organs[row].name) and why_no_name(name, others) is None:
            organs[row] = replace(organs[row], name=name)
        self._changed(organs)


def why_no_name(name: str, others: Sequence[str]) -> str | None:
    """Why an organ cannot have a name beside the others of a study, None when it can."""
    if not name:
        return _("An organ needs a name.")
    if "," in name:
        return _("The name of an organ has no comma.")
    if name in others:
        return _("There is an organ named {name} already.").format(name=name)
    return None


def _numbered(number: int) -> str:
    return _("organ {number}").format(number=number)


def _is_unnamed(name: str) -> bool:
    """Whether an organ still has the name that it was added with."""
    return name == _("organ") or name in map(_numbered, range(1, 100))


def _new_name(names: Sequence[str]) -> str:
    return next(name for name in map(_numbered, count(len(names) + 1)) if name not in names)


def _show_text(table: Any, row: int, column: int, text: str, editable: bool) -> None:
    item = table.item(row, column)
    if item is None:
        table.setItem(row, column, text_item(text, editable))
        return
    if bool(item.flags() & qt.Qt.ItemIsEditable) != editable:
        table.setItem(row, column, text_item(text, editable))
    elif item.text() != text:
        item.setText(text)


def _show_colour(item: Any, colour: tuple[float, float, float]) -> None:
    wanted = qt.QColor.fromRgbF(*colour)
    if item.background().color() != wanted:
        item.setBackground(qt.QBrush(wanted))
        item.setFlags(qt.Qt.ItemIsEnabled)  # not selectable: a selection would hide the colour
        item.setToolTip(_("Click to choose another colour."))
