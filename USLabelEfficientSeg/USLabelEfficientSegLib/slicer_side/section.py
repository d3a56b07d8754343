"""Shared by the sections of the panel: buttons that say why they cannot be pressed, and sentences for the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import Cancelled, InputError
from .processes.dependencies import MissingPackagesError, offerInstallation

if TYPE_CHECKING:
    from .panel import Panel

Widget = Any
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


def tell(label: Widget, sentence: str, bad: bool = False) -> None:
    """Show a sentence in a label as it is, without markup; a bad one in red."""
    label.setTextFormat(qt.Qt.PlainText)
    label.styleSheet = f"color: {error_colour(label)}" if bad and sentence else ""
    label.text = sentence


def error_colour(widget: Widget) -> str:
    """A red that is read on the background of a widget, in a light as in a dark theme (contrast above 4.5 to 1)."""
    background = widget.window().palette.color(qt.QPalette.Window)  # its own is fixed once it has a style sheet
    return _RED_ON_LIGHT if background.lightness() > _MIDDLE_GREY else _RED_ON_DARK


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


def checked_nodes(list_widget: Widget) -> list[Any]:
    """The ticked nodes of a list made by `fill_node_list`, as far as they still exist."""
    items = [list_widget.item(row) for row in range(list_widget.count)]
    nodes = [
        slicer.mrmlScene.GetNodeByID(item.data(qt.Qt.UserRole)) for item in items if item.checkState() == qt.Qt.Checked
    ]
    return [node for node in nodes if node is not None]


def fill_node_list(list_widget: Widget, nodes: list[Any], checked: list[Any], fixed: list[Any]) -> None:
    """Show nodes with check boxes; those in `fixed` are ticked and cannot be unticked."""
    fixed_ids = {node.GetID() for node in fixed}
    ticked = {node.GetID() for node in checked} | fixed_ids
    wanted = [(node.GetID(), node.GetName(), node.GetID() in fixed_ids) for node in nodes]
    text = "\n".join(f"{node_id}\t{name}\t{is_fixed}" for node_id, name, is_fixed in wanted)
    with silent(list_widget):
        if list_widget.count != len(wanted) or list_widget.property(_SHOWN) != text:
            list_widget.setProperty(_SHOWN, text)
            list_widget.clear()
            for node_id, name, is_fixed in wanted:
                list_widget.addItem(_node_item(node_id, name, is_fixed))
        on, off = qt.Qt.Checked, qt.Qt.Unchecked
        for row, (node_id, _name, _is_fixed) in enumerate(wanted):
            item, state = list_widget.item(row), on if node_id in ticked else off
            if item.checkState() != state:
                item.setCheckState(state)


def _node_item(node_id: str, name: str, is_fixed: bool) -> Any:
    item = qt.QListWidgetItem(name)
    item.setData(qt.Qt.UserRole, node_id)
    flags = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
    item.setFlags(flags if is_fixed else flags | qt.Qt.ItemIsUserCheckable)
    item.setCheckState(qt.Qt.Unchecked)
    return item


def ultrasound_nodes() -> list[Any]:
    """The volumes of the scene that may be ultrasound: no label maps, no uncertainty, nothing hidden."""
    from .nodes.study_nodes import ROLE

    return [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if not node.IsA("vtkMRMLLabelMapVolumeNode")
        and not node.GetHideFromEditors()
        and node.GetAttribute(ROLE) is None
        and node.GetImageData() is not None
    ]
