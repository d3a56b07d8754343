"""A stand-in for Slicer's view of a table node."""

from typing import Any

from PySide6 import QtCore, QtWidgets

from .pythonqt import stand_in
from .stand_in import stop_observing, stored

Signal = QtCore.Signal


@stand_in
class qMRMLTableView(QtWidgets.QTableView):
    """The cells of a table node."""

    mrmlSceneChanged = Signal(object)
    cpp_signals = ("mrmlSceneChanged(vtkMRMLScene*)",)
    transposed = stored(bool, False)
    firstRowLocked = stored(bool, False)
    firstColumnLocked = stored(bool, False)
    _scene: Any = None
    _node: Any = None
    _observations: Any = None
    _model: Any = None

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._model = _TableModel(self)
        self.setModel(self._model)
        observations: list[tuple[Any, int]] = []
        self._observations = observations
        self.destroyed.connect(lambda: stop_observing(observations))

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlTableNode(self) -> Any:
        return self._node

    def setMRMLTableNode(self, node: Any) -> None:
        stop_observing(self._observations)
        self._node = node
        if node is not None:
            self._observations.append((node, node.AddObserver("ModifiedEvent", lambda *_: self._model.show(node))))
        self._model.show(node)


class _TableModel(QtCore.QAbstractTableModel):
    """Names of the columns as headings (Slicer shows them so when the node locks its first row), cells as text."""

    _headings: Any = ()
    _cells: Any = ()

    def show(self, node: Any) -> None:
        self.beginResetModel()
        table = node.GetTable() if node is not None else None
        columns = range(table.GetNumberOfColumns()) if table is not None else ()
        self._headings = [node.GetColumnName(c) for c in columns]
        rows = range(table.GetNumberOfRows()) if table is not None and columns else ()
        self._cells = [[node.GetCellText(r, c) for c in columns] for r in rows]
        self.endResetModel()

    def rowCount(self, parent: Any = None) -> int:
        return len(self._cells)

    def columnCount(self, parent: Any = None) -> int:
        return len(self._headings)

    def data(
        self,
        index: QtCore.QModelIndex | QtCore.QPersistentModelIndex,
        role: int = QtCore.Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        return self._cells[index.row()][index.column()] if role == QtCore.Qt.ItemDataRole.DisplayRole else None

    def headerData(self, section: int, orientation: Any, role: int = QtCore.Qt.ItemDataRole.DisplayRole) -> Any:
        if role != QtCore.Qt.ItemDataRole.DisplayRole:
            return None
        return self._headings[section] if orientation == QtCore.Qt.Orientation.Horizontal else section + 1
