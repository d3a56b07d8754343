"""A list of nodes with check boxes, which takes work only where something has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import qt
import slicer

from .section import silent

Widget = Any
MrmlNode = Any


class NodeList:
    """Shows nodes in a QListWidget, and tells which of them are ticked.

    Args:
        widget: the list; nobody else fills it.
        ticked: called after the user has ticked or unticked a node.
    """

    def __init__(self, widget: Widget, ticked: Callable[[], object]) -> None:
        self._widget = widget
        self._ticked = ticked
        self._rows: list[tuple[str, str, bool]] = []  # identifier, name, whether it is fixed
        self._checked: set[str] | None = set()  # identifiers; None after the user has changed them
        widget.connect("itemChanged(QListWidgetItem*)", self._on_changed)

    def show(self, nodes: Iterable[MrmlNode], checked: Iterable[MrmlNode], fixed: Iterable[MrmlNode] = ()) -> None:
        """Show nodes; those in `fixed` are ticked and cannot be unticked."""
        fixed_ids = {node.GetID() for node in fixed}
        rows = [(node_id := node.GetID(), node.GetName(), node_id in fixed_ids) for node in nodes]
        ticked = {node.GetID() for node in checked} | fixed_ids
        with silent(self._widget):
            if rows != self._rows:
                self._fill(rows)
            shown = {node_id for node_id, _name, _fixed in rows}
            if self._checked != ticked & shown:
                self._tick(ticked & shown)

    def checked(self) -> list[MrmlNode]:
        """The ticked nodes, as far as they still exist, from top to bottom."""
        if self._checked is None:
            rows = range(self._widget.count)
            self._checked = {self._rows[row][0] for row in rows if self._state(row) == qt.Qt.Checked}
        ticked = [node_id for node_id, _name, _fixed in self._rows if node_id in self._checked]
        return [node for node in map(slicer.mrmlScene.GetNodeByID, ticked) if node is not None]

    def _fill(self, rows: list[tuple[str, str, bool]]) -> None:
        self._widget.clear()
        for _node_id, name, fixed in rows:
            self._widget.addItem(_item(name, fixed))
        self._rows, self._checked = rows, set()

    def _tick(self, wanted: set[str]) -> None:
        for row, (node_id, _name, _fixed) in enumerate(self._rows):
            state = qt.Qt.Checked if node_id in wanted else qt.Qt.Unchecked
            if self._state(row) != state:
                self._widget.item(row).setCheckState(state)
        self._checked = wanted

    def _state(self, row: int) -> Any:
        return self._widget.item(row).checkState()

    def _on_changed(self, _item: Any) -> None:
        self._checked = None
        self._ticked()


def _item(name: str, fixed: bool) -> Any:
    item = qt.QListWidgetItem(name)
    flags = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
    item.setFlags(flags if fixed else flags | qt.Qt.ItemIsUserCheckable)
    item.setCheckState(qt.Qt.Unchecked)
    return item
