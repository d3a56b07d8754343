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
        self._stamp: object = None
        widget.connect("itemChanged(QListWidgetItem*)", self._on_changed)

    def show(
        self,
        nodes: Iterable[MrmlNode],
        checked: Iterable[MrmlNode],
        fixed: Iterable[MrmlNode] = (),
        stamp: object = None,
    ) -> None:
        """Show nodes.

        Args:
            nodes: in their order.
            checked: those that are ticked.
            fixed: those that are ticked and cannot be unticked.
            stamp: as long as it is the same, all of these are, with their names; None if nobody knows.
        """
        if stamp is not None and stamp == self._stamp and self._checked is not None:
            return
        self._stamp = stamp
        fixed_ids = {node.GetID() for node in fixed}
        rows = [(node_id := node.GetID(), node.GetName(), node_id in fixed_ids) for node in nodes]
        ticked = {node.GetID() for node in checked} | fixed_ids
        with silent(self._widget):
            if rows != self._rows:
                self._fill(rows)
            shown = {node_id for node_id, _name, _fixed in rows}
            if self._checked != ticked & shown:
                self._tick(ticked & shown)

    def _ticked_ids(self) -> set[str]:
        """Identifiers of the ticked nodes."""
        if self._checked is None:
            rows = range(self._widget.count)
            self._checked = {self._rows[row][0] for row in rows if self._state(row) == qt.Qt.Checked}
        return self._checked

    def checked(self) -> list[MrmlNode]:
        """The ticked nodes, as far as they still exist, from top to bottom."""
        checked = self._ticked_ids()
        ticked = [node_id for node_id, _name, _fixed in self._rows if node_id in checked]
        return [node for node in map(slicer.mrmlScene.GetNodeByID, ticked) if node is not None]

    def _fill(self, rows: list[tuple[str, str, bool]]) -> None:
        """Show these rows; those that begin the list as they did are left alone."""
        same = next((n for n, (old, new) in enumerate(zip(self._rows, rows, strict=False)) if old != new), None)
        if same is None:
            same = min(len(self._rows), len(rows))
        elif len(rows) == len(self._rows) and [row[0] for row in rows] == [row[0] for row in self._rows]:
            self._rename(rows)
            return
        kept = self._ticked_ids() & {row[0] for row in rows[:same]}
        if same == 0:
            self._widget.clear()
        for _row in range(same, self._widget.count):
            self._widget.takeItem(same)
        for _node_id, name, fixed in rows[same:]:
            self._widget.addItem(_item(name, fixed))
        self._rows, self._checked = rows, kept

    def _rename(self, rows: list[tuple[str, str, bool]]) -> None:
        """Show these rows of the same nodes."""
        for number, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
            if old != new:
                item = self._widget.item(number)
                item.setText(new[1])
                item.setFlags(_flags(new[2]))
        self._rows = rows

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
    item.setFlags(_flags(fixed))
    item.setCheckState(qt.Qt.Unchecked)
    return item


def _flags(fixed: bool) -> Any:
    flags = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
    return flags if fixed else flags | qt.Qt.ItemIsUserCheckable
