"""A stand-in for the Segment Editor's widget: the choices a module makes for the user, and a brush for tests.

Methods and properties are those of qMRMLSegmentEditorWidget.h; painting itself is Slicer's business, so a test
paints by `slicer.util` or the module's own functions, after `saveStateForUndo()` as the effects do. Undo and redo are
Slicer's own vtkSegmentationHistory.
"""

from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from .pythonqt import stand_in
from .segment_editor_effects import EFFECTS, Effect
from .stand_in import setter, stored

Signal, Property = QtCore.Signal, QtCore.Property


@stand_in
class qMRMLSegmentEditorWidget(QtWidgets.QFrame):
    """The Segment Editor: which segmentation, volume, segment and effect."""

    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)
    currentSegmentIDChanged = Signal(str)
    mrmlSceneChanged = Signal(object)
    cpp_signals = (
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)", "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)",
        "currentSegmentIDChanged(QString)", "mrmlSceneChanged(vtkMRMLScene*)",
    )  # fmt: skip
    segmentationNodeSelectorVisible = stored(bool, True)
    sourceVolumeNodeSelectorVisible = stored(bool, True)
    switchToSegmentationsButtonVisible = stored(bool, True)
    maskingSectionVisible = stored(bool, True)
    specifyGeometryButtonVisible = stored(bool, True)
    show3DButtonVisible = stored(bool, True)
    addRemoveSegmentButtonsVisible = stored(bool, True)
    autoShowSourceVolumeNode = stored(bool, True)
    unorderedEffectsVisible = stored(bool, True)
    readOnly = stored(bool, False)
    effectColumnCount = stored(int, 2)
    defaultTerminologyEntry = stored(str, "")
    setSegmentationNodeSelectorVisible = setter("segmentationNodeSelectorVisible")
    setSourceVolumeNodeSelectorVisible = setter("sourceVolumeNodeSelectorVisible")
    setSwitchToSegmentationsButtonVisible = setter("switchToSegmentationsButtonVisible")
    setUnorderedEffectsVisible = setter("unorderedEffectsVisible")
    setAddRemoveSegmentButtonsVisible = setter("addRemoveSegmentButtonsVisible")
    setAutoShowSourceVolumeNode = setter("autoShowSourceVolumeNode")
    setReadOnly = setter("readOnly")
    _scene: Any = None
    _node: Any = None
    _order: Any = ()
    _list: Any = None
    _buttons: Any = None
    _history: Any = None
    _undo_shown = True
    _shortcuts: tuple[Any, ...] = ()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._history = slicer.vtkSegmentationHistory()
        layout = QtWidgets.QVBoxLayout(self)
        self._list = QtWidgets.QListWidget()
        self._list.setMaximumHeight(70)
        self._list.currentRowChanged.connect(self._row_changed)
        self._buttons = QtWidgets.QHBoxLayout()
        layout.addWidget(self._list)
        layout.addLayout(self._buttons)

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._node = node
        self._show()

    def segmentationNode(self) -> Any:
        return self._node.GetSegmentationNode() if self._node is not None else None

    def setSegmentationNode(self, node: Any) -> None:
        if self._node is None or node is self.segmentationNode():
            return
        self._node.SetAndObserveSegmentationNode(node)
        segmentation = node.GetSegmentation() if node is not None else None
        self._history.SetSegmentation(segmentation)
        first = segmentation.GetNthSegmentID(0) if segmentation and segmentation.GetNumberOfSegments() else ""
        self._node.SetSelectedSegmentID(first)
        self._show()
        self.segmentationNodeChanged.emit(node)

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._node is not None and node is not self.sourceVolumeNode():
            self._node.SetAndObserveSourceVolumeNode(node)
            self.sourceVolumeNodeChanged.emit(node)

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() or "") if self._node is not None else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        if self._node is not None and segment_id != self.currentSegmentID():
            self._node.SetSelectedSegmentID(segment_id)
            self._show()
            self.currentSegmentIDChanged.emit(segment_id)

    def availableEffectNames(self) -> list[str]:
        return list(EFFECTS)

    def effectNameOrder(self) -> list[str]:
        return list(self._order)

    def setEffectNameOrder(self, names: list[str]) -> None:
        self._order = tuple(names)
        self._show()

    def effectByName(self, name: str) -> Effect | None:
        return Effect(name, self) if name in EFFECTS else None

    def activeEffect(self) -> Effect | None:
        return self.effectByName(self._node.GetActiveEffectName() or "") if self._node is not None else None

    def setActiveEffect(self, effect: Effect | None) -> None:
        self.setActiveEffectByName(effect.name if effect is not None else "")

    def setActiveEffectByName(self, name: str) -> None:
        if self._node is not None:
            self._node.SetActiveEffectName(name)
            self._show()

    def setupViewObservations(self) -> None:
        """Slicer observes the slice views' mouse; there is none here."""

    def removeViewObservations(self) -> None:
        """The counterpart of `setupViewObservations`."""

    def installKeyboardShortcuts(self) -> None:
        """Those of undo and redo, on the main window; Slicer has more."""
        self.uninstallKeyboardShortcuts()
        window = slicer.util.mainWindow()
        keys = {"Z": self.undo, "Ctrl+Z": self.undo, "Y": self.redo, "Ctrl+Y": self.redo}
        self._shortcuts = tuple(QtGui.QShortcut(QtGui.QKeySequence(key), window) for key in keys)
        for shortcut, action in zip(self._shortcuts, keys.values(), strict=True):
            shortcut.connect("activated()", action)

    def uninstallKeyboardShortcuts(self) -> None:
        """The counterpart of `installKeyboardShortcuts`."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = ()

    # Undo

    def _undo_enabled(self) -> bool:
        return self._undo_shown

    def setUndoEnabled(self, enabled: bool) -> None:
        """As in Slicer it is when undo is enabled, again or not, that the states are forgotten."""
        if enabled:
            self._history.RemoveAllStates()
        self._undo_shown = enabled

    undoEnabled = Property(bool, _undo_enabled, setUndoEnabled)

    def _most_states(self) -> int:
        return int(self._history.GetMaximumNumberOfStates())

    def setMaximumNumberOfUndoStates(self, number: int) -> None:
        self._history.SetMaximumNumberOfStates(number)

    maximumNumberOfUndoStates = Property(int, _most_states, setMaximumNumberOfUndoStates)

    def saveStateForUndo(self) -> None:
        """Every effect calls it before it changes a segment."""
        self._history.SaveState()

    def undo(self) -> None:
        self._restore(self._history.IsRestorePreviousStateAvailable, self._history.RestorePreviousState)

    def redo(self) -> None:
        self._restore(self._history.IsRestoreNextStateAvailable, self._history.RestoreNextState)

    def _restore(self, possible: Any, restore: Any) -> None:
        """Slicer's logic tells the display afterwards; where there is nothing to restore it only warns."""
        node = self.segmentationNode()
        if node is not None and possible():
            modifying = node.StartModify()
            restore()
            node.EndModify(modifying)

    def _segment_ids(self) -> list[str]:
        node = self.segmentationNode()
        return list(node.GetSegmentation().GetSegmentIDs()) if node is not None else []

    def _row_changed(self, row: int) -> None:
        if row >= 0:
            self.setCurrentSegmentID(self._segment_ids()[row])

    def _show(self) -> None:
        """List the segments and the effects."""
        ids = self._segment_ids()
        self._list.blockSignals(True)
        self._list.clear()
        for segment_id in ids:
            self._list.addItem(self.segmentationNode().GetSegmentation().GetSegment(segment_id).GetName())
        if self.currentSegmentID() in ids:
            self._list.setCurrentRow(ids.index(self.currentSegmentID()))
        self._list.blockSignals(False)
        while self._buttons.count():
            self._buttons.takeAt(0).widget().deleteLater()
        active = self.activeEffect()
        for name in [name for name in self._order or EFFECTS[:3] if name in EFFECTS]:
            button = QtWidgets.QPushButton(name)
            button.setCheckable(True)
            button.setChecked(active is not None and active.name == name)
            button.clicked.connect(lambda _, name=name: self.setActiveEffectByName(name))
            self._buttons.addWidget(button)


SEGMENT_EDITOR_WIDGETS = {"qMRMLSegmentEditorWidget": qMRMLSegmentEditorWidget}
