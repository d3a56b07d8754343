"""Shared by the sections of the panel: buttons that say why they cannot be pressed, and sentences for the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress, count
from operator import is_not
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import Cancelled, InputError
from .processes.dependencies import MissingPackagesError, offerInstallation

if TYPE_CHECKING:
    from .panel import Panel

Widget = Any
_PRIMARY = "primary"  # dynamic property: the panel's style sheet asks for it
_SHOWN = "USLabelEfficientSegShown"  # dynamic property: what a list or table was filled with

_RED_ON_LIGHT, _RED_ON_DARK, _MIDDLE_GREY = "#b3261e", "#ff8a80", 127


class Section:
    """One part of the panel. Its widgets show the state of the study; `refresh` brings them up to date.

    Args:
        panel: gives access to the widgets, the study, the jobs, and the signals by which sections talk to each other.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.signals = panel.signals

    def refresh(self) -> None:
        """Bring the section up to date. Called after everything that may have changed something."""

    def done(self) -> bool:
        """Whether the user has what the next step needs; asked for the section that its step is named after."""
        return False

    def enter(self) -> None:
        """The user comes back to the module."""

    def leave(self) -> None:
        """The user goes to another module, or the panel is closed: leave nothing behind in the views."""


def allow(button: Widget, tip: str, reason: str | None = None) -> None:
    """Enable a button, or disable it and say why in its tooltip."""
    button.enabled = not reason
    button.toolTip = reason or tip


def put_first(button: Widget, first: bool) -> None:
    """Give a button the colour of the one to press next, or take it away."""
    if bool(button.property(_PRIMARY)) != first:
        button.setProperty(_PRIMARY, first)
        button.style().unpolish(button)
        button.style().polish(button)


def tell(label: Widget, sentence: str, bad: bool = False) -> None:
    """Show a sentence in a label as it is, without markup; a bad one in red."""
    label.setTextFormat(qt.Qt.PlainText)
    label.styleSheet = f"color: {error_colour(label)}" if bad and sentence else ""
    label.text = sentence


def error_colour(widget: Widget) -> str:
    """A red that is read on the background of a widget, in a light as in a dark theme (contrast above 4.5 to 1)."""
    return _RED_ON_DARK if on_dark(widget.window()) else _RED_ON_LIGHT  # its own is fixed once it has a style sheet


def on_dark(widget: Widget) -> bool:
    """Whether the background of a widget is dark."""
    return bool(widget.palette.color(qt.QPalette.Window).lightness() <= _MIDDLE_GREY)


@contextmanager
def reported(label: Widget) -> Iterator[None]:
    """Show a mistake of the user, with its remedy, in `label`, and a fault of the program in a message box."""
    with slicer.util.tryWithErrorDisplay(_("This did not work.")):
        try:
            yield
        except Cancelled:
            tell(label, _("Stopped."))
        except InputError as error:
            tell(label, str(error), bad=True)


def on_click(button: Widget, label: Widget, action: Callable[[], None]) -> None:
    """Do something when a button is pressed, after installing what it needs, and show its failure in `label`."""

    def clicked() -> None:
        with reported(label):
            try:
                action()
            except MissingPackagesError as missing:
                offerInstallation(missing, clicked)

    button.connect("clicked()", clicked)


@contextmanager
def silent(widget: Widget) -> Iterator[None]:
    """Change a widget without its signals."""
    was = widget.blockSignals(True)
    try:
        yield
    finally:
        widget.blockSignals(was)


def text_item(text: str, editable: bool = False) -> Any:
    """A cell of a table."""
    item = qt.QTableWidgetItem(text)
    if not editable:
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    return item


def fill_table(table: Widget, rows: list[list[str]]) -> None:
    """Show rows of text, keeping the selected row; cells that are right already are left alone."""
    text = "\n".join("\t".join(row) for row in rows)
    if table.rowCount == len(rows) and table.property(_SHOWN) == text:
        return
    table.setProperty(_SHOWN, text)
    with silent(table):
        table.setRowCount(len(rows))
        for r, row in enumerate(rows):
            for c, text in enumerate(row):
                item = table.item(r, c)
                if item is None:
                    table.setItem(r, c, text_item(text))
                elif item.text() != text:
                    item.setText(text)


class TextTable:
    """A table of many rows of text; nobody else fills it, and only rows that have changed are filled again.

    Args:
        widget: the table.
    """

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._rows: Sequence[Sequence[str]] = ()

    def show(self, rows: Sequence[Sequence[str]]) -> None:
        """Show rows, keeping the selected one."""
        if rows is self._rows:
            return
        before, self._rows = self._rows, rows
        with silent(self._widget):
            if len(rows) != len(before):
                self._widget.setRowCount(len(rows))
            for r in compress(count(), map(is_not, rows, before)):
                if rows[r] != before[r]:
                    for c, text in enumerate(rows[r]):
                        self._widget.item(r, c).setText(text)
            for r, row in enumerate(rows[len(before) :], start=len(before)):
                for c, text in enumerate(row):
                    self._widget.setItem(r, c, text_item(text))


def set_headings(table: Widget, headings: list[str]) -> None:
    """Columns of a table, the first one wide."""
    table.setColumnCount(len(headings))
    table.setHorizontalHeaderLabels(headings)
    header = table.horizontalHeader()
    header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(24)
    table.setWordWrap(False)
