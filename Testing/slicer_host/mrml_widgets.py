"""Stand-ins for Slicer's MRML widgets on a real scene; selectors and tables are in files of their own.

Properties and signals are those of Slicer's headers (Libs/MRML/Widgets).
"""

from typing import Any

from PySide6 import QtCore, QtWidgets

from .ctk_widgets import ctkCollapsibleButton, ctkDoubleSpinBox, ctkMenuButton, ctkSliderWidget
from .node_selectors import qMRMLCheckableNodeComboBox as qMRMLCheckableNodeComboBox
from .node_selectors import qMRMLNodeComboBox as qMRMLNodeComboBox
from .pythonqt import stand_in
from .stand_in import stored
from .table_view import qMRMLTableView as qMRMLTableView

Signal = QtCore.Signal


@stand_in
class qMRMLWidget(QtWidgets.QWidget):
    """The top-level widget of a panel: hands the scene down."""

    mrmlSceneChanged = Signal(object)
    cpp_signals = ("mrmlSceneChanged(vtkMRMLScene*)",)
    _scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


@stand_in
class qSlicerWidget(qMRMLWidget):
    """The older top-level widget."""


@stand_in
class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The C++ side of a scripted module's panel; `self()` is the Python side."""

    _python: Any = None

    def self(self) -> Any:
        return self._python


@stand_in
class qMRMLSliderWidget(ctkSliderWidget):
    """A slider that knows the scene's units."""

    quantity = stored(str, "")
    unitAwareProperties = stored(int, 0)
    _scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@stand_in
class qMRMLSpinBox(ctkDoubleSpinBox):
    """A spin box that knows the scene's units."""

    quantity = stored(str, "")
    _scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@stand_in
class qMRMLCollapsibleButton(ctkCollapsibleButton):
    """A folding section that hands the scene down."""

    _scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@stand_in
class qMRMLSegmentationShow3DButton(ctkMenuButton):
    """Shows the segments' surfaces in the 3-D view."""

    _node: Any = None

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setText("Show 3D")
        self.setCheckable(True)
        self.toggled.connect(self._toggled)

    def setSegmentationNode(self, node: Any) -> None:
        self._node = node

    def segmentationNode(self) -> Any:
        return self._node

    def _toggled(self, shown: bool) -> None:
        if self._node is None:
            return
        if shown:
            self._node.CreateClosedSurfaceRepresentation()
        else:
            self._node.RemoveClosedSurfaceRepresentation()


MRML_WIDGETS = {name: value for name, value in list(globals().items()) if name.startswith(("qMRML", "qSlicer"))}
