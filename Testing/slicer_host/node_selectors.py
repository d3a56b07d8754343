"""Stand-ins for Slicer's node selectors: which nodes of a scene are offered, and which are chosen."""

from collections.abc import Callable
from typing import Any

import shiboken6
import slicer
from PySide6 import QtCore, QtWidgets

from .pythonqt import stand_in
from .stand_in import setter, stop_observing, stored

Signal, Property = QtCore.Signal, QtCore.Property
_State = QtCore.Qt.CheckState
_NODE_ID = QtCore.Qt.ItemDataRole.UserRole
_SCENE_EVENTS = ("NodeAddedEvent", "NodeRemovedEvent", "EndCloseEvent", "EndImportEvent", "EndBatchProcessEvent")
_NODE_OR_WHETHER: Any = (object,), (bool,)  # overloads of a signal; PySide's annotations know of one alone


class _NodeSelector(QtWidgets.QWidget):
    """Which nodes of a scene are offered."""

    mrmlSceneChanged = Signal(object)
    nodeTypes = stored("QStringList", [])
    hideChildNodeTypes = stored("QStringList", [])
    showChildNodeTypes = stored(bool, True)
    showHidden = stored(bool, False)
    addEnabled = stored(bool, True)
    removeEnabled = stored(bool, True)
    editEnabled = stored(bool, False)
    renameEnabled = stored(bool, False)
    noneEnabled = stored(bool, False)
    noneDisplay = stored(str, "None")
    selectNodeUponCreation = stored(bool, True)
    baseName = stored(str, "")
    interactionNodeSingletonTag = stored(str, "")
    setNodeTypes = setter("nodeTypes")
    setNoneEnabled = setter("noneEnabled")
    _scene: Any = None
    _observations: Any = None
    _attributes: Any = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        observations: list[tuple[Any, int]] = []
        self._observations = observations
        self.destroyed.connect(lambda: stop_observing(observations))

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        stop_observing(self._observations)
        self._scene = scene
        for name in _SCENE_EVENTS if scene is not None else ():
            tag = scene.AddObserver(getattr(slicer.vtkMRMLScene, name), self._on_scene)
            self._observations.append((scene, tag))
        self._refresh()
        self.mrmlSceneChanged.emit(scene)

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        """Offer nodes of a type only if they have an attribute (of this value)."""
        self._attributes = (*self._attributes, (node_type, name, value))
        self._refresh()

    def _on_scene(self, *_: Any) -> None:
        if not shiboken6.isValid(self):  # its window is gone, and Qt did not tell
            stop_observing(object.__getattribute__(self, "_observations"))
        elif not self._scene.IsBatchProcessing():
            self._refresh()

    def _refresh(self) -> None:
        """Show the nodes as they are now."""

    def _offered(self) -> list[Any]:
        if self._scene is None:
            return []
        nodes = self._scene.GetNodes()  # walked once: each number would be counted from the first
        return list(filter(self._filter(), nodes))

    def _filter(self) -> Callable[[Any], bool]:
        """Whether a node is offered."""
        # Read once, not for every node: a property is looked up by way of Qt.
        types, hidden = self.nodeTypes or [], self.hideChildNodeTypes or []
        show_children, show_hidden, attributes = self.showChildNodeTypes, self.showHidden, self._attributes

        def offers(node: Any) -> bool:
            if node.GetHideFromEditors() and not show_hidden:
                return False
            fits = any(node.IsA(kind) for kind in types) if show_children else node.GetClassName() in types
            return (
                fits
                and not any(node.IsA(kind) for kind in hidden)
                and all(_has(node, name, value) for kind, name, value in attributes if node.IsA(kind))
            )

        return offers


def _has(node: Any, attribute: str, value: str | None) -> bool:
    found = node.GetAttribute(attribute)
    return found == value if value else found is not None


@stand_in
class qMRMLNodeComboBox(_NodeSelector):
    """Choose a node, make one, or none."""

    currentNodeChanged: Any = Signal(*_NODE_OR_WHETHER)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    currentNodeRenamed = Signal(str)
    cpp_signals = (
        "currentNodeChanged(vtkMRMLNode*)", "currentNodeChanged(bool)", "currentNodeIDChanged(QString)",
        "nodeActivated(vtkMRMLNode*)", "nodeAdded(vtkMRMLNode*)", "nodeAddedByUser(vtkMRMLNode*)",
        "nodeAboutToBeRemoved(vtkMRMLNode*)", "nodeAboutToBeEdited(vtkMRMLNode*)", "currentNodeRenamed(QString)",
    )  # fmt: skip
    _combo: Any = None
    _id = ""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox()
        layout.addWidget(self._combo)
        self._combo.activated.connect(self._activated)

    def _refresh(self) -> None:
        if self._combo is None:  # a property set before the combo box exists
            return
        nodes = self._offered()
        self._combo.clear()
        if self.noneEnabled:
            self._combo.addItem(self.noneDisplay, "")
        for node in nodes:
            self._combo.addItem(node.GetName(), node.GetID())
        if self.addEnabled and self._scene is not None:
            for kind in self.nodeTypes or []:
                self._combo.addItem(f"Create new {self._scene.GetTagByClassName(kind)}", f"+{kind}")
        ids = [node.GetID() for node in nodes]
        first = "" if self.noneEnabled or not ids else ids[0]
        self._select(self._id if self._id in ids else first)

    def _select(self, node_id: str) -> None:
        self._combo.setCurrentIndex(self._combo.findData(node_id))
        if node_id == self._id:
            return
        self._id = node_id
        node = self.currentNode()
        self.currentNodeChanged[object].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
        self.currentNodeIDChanged.emit(node_id)

    def _activated(self, index: int) -> None:
        data = self._combo.itemData(index) or ""
        if data.startswith("+"):
            self.addNode(data[1:])
        else:
            self._select(data)
        self.nodeActivated.emit(self.currentNode())

    def addNode(self, node_type: str | None = None) -> Any:
        kind = node_type or self.nodeTypes[0]
        name = self.baseName or self._scene.GetTagByClassName(kind)
        node = self._scene.AddNewNodeByClass(kind, self._scene.GenerateUniqueName(name))
        self.nodeAddedByUser.emit(node)
        if self.selectNodeUponCreation:
            self._select(node.GetID())
        return node

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._id) if self._scene is not None and self._id else None

    def setCurrentNode(self, node: Any) -> None:
        self._select(node.GetID() if node is not None and self._filter()(node) else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        self.setCurrentNode(self._scene.GetNodeByID(node_id) if node_id else None)

    def nodeCount(self) -> int:
        return len(self._offered())

    def nodeFromIndex(self, index: int) -> Any:
        return self._scene.GetNodeByID(self._combo.itemData(index) or "")

    currentNodeID = Property(str, lambda self: self._id, setCurrentNodeID, notify=currentNodeIDChanged)


@stand_in
class qMRMLCheckableNodeComboBox(_NodeSelector):
    """Tick any number of nodes. Slicer folds the list into a combo box; here it is open."""

    checkedNodesChanged = Signal()
    cpp_signals = ("checkedNodesChanged()",)
    _list: Any = None

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._list = QtWidgets.QListWidget()
        self._list.setMaximumHeight(110)
        layout.addWidget(self._list)
        self._list.itemChanged.connect(lambda _: self.checkedNodesChanged.emit())

    def _items(self) -> list[Any]:
        return [self._list.item(row) for row in range(self._list.count)]

    def _refresh(self) -> None:
        if self._list is None:
            return
        checked = {item.data(_NODE_ID) for item in self._items() if item.checkState() == _State.Checked}
        nodes = self._offered()
        self._list.blockSignals(True)
        self._list.clear()
        for node in nodes:
            item = QtWidgets.QListWidgetItem(node.GetName(), self._list)
            item.setData(_NODE_ID, node.GetID())
            item.setCheckState(_State.Checked if node.GetID() in checked else _State.Unchecked)
        self._list.blockSignals(False)
        if checked - {node.GetID() for node in nodes}:
            self.checkedNodesChanged.emit()

    def checkedNodes(self) -> list[Any]:
        ids = [item.data(_NODE_ID) for item in self._items() if item.checkState() == _State.Checked]
        return [self._scene.GetNodeByID(node_id) for node_id in ids]

    def uncheckedNodes(self) -> list[Any]:
        return [node for node in self._offered() if node not in self.checkedNodes()]

    def allChecked(self) -> bool:
        return not self.uncheckedNodes()

    def noneChecked(self) -> bool:
        return not self.checkedNodes()

    def checkState(self, node: Any) -> QtCore.Qt.CheckState:
        return self._item(node).checkState()

    def setCheckState(self, node: Any, state: QtCore.Qt.CheckState) -> None:
        self._item(node).setCheckState(state)

    def _item(self, node: Any) -> Any:
        return next(item for item in self._items() if item.data(_NODE_ID) == node.GetID())
