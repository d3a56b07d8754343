"""Stand-ins for the CTK widgets a Slicer module's panel uses, with the properties and signals of CTK's headers."""

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from .path_line_edit import ctkPathLineEdit as ctkPathLineEdit
from .pythonqt import stand_in
from .stand_in import row as _row
from .stand_in import setter, stored

Signal, Property = QtCore.Signal, QtCore.Property
_TITLE_HEIGHT = 24
_VISIBILITY = "visibilityToParent"  # CTK's name of the property


@stand_in
class ctkCollapsibleButton(QtWidgets.QWidget):
    """A titled section that folds away."""

    contentsCollapsed = Signal(bool)
    cpp_signals = ("contentsCollapsed(bool)",)
    text = stored(str, "")
    checkable = stored(bool, True)
    flat = stored(bool, False)
    contentsFrameShape = stored(int, 0)
    collapsedHeight = stored(int, 14)
    setText = setter("text")
    setCollapsed = setter("collapsed")
    _collapsed = False
    _title: Any = None
    _forcing = False

    def __init__(self, *arguments: Any) -> None:
        texts = [a for a in arguments if isinstance(a, str)]
        super().__init__(*[a for a in arguments if not isinstance(a, str)])
        self.setContentsMargins(4, _TITLE_HEIGHT + 2, 4, 4)
        self._title = QtWidgets.QPushButton(self)
        self._title.setStyleSheet("text-align: left; padding-left: 6px; font-weight: bold;")
        self._title.clicked.connect(lambda: self._set_collapsed(not self._collapsed))
        self.setProperty("text", texts[0] if texts else "")
        self._refresh()

    def _refresh(self) -> None:
        self._title.setText(f"{'▸' if self._collapsed else '▾'}  {self.text}")

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        self._title.setGeometry(0, 0, self.width, _TITLE_HEIGHT)

    def adopt_children(self) -> None:
        """Take charge of the visibility of all children, as CTK does of each when it is added."""
        for child in self._contents():
            child.removeEventFilter(self)
            child.installEventFilter(self)
            self._show_or_hide(child)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Remember what somebody else asks of a child; while the button is collapsed, it stays hidden."""
        if not self._forcing and event.type() == QtCore.QEvent.Type.ShowToParent:
            child.setProperty(_VISIBILITY, True)
            self._show_or_hide(child)
        elif not self._forcing and event.type() == QtCore.QEvent.Type.HideToParent:
            child.setProperty(_VISIBILITY, False)
        return False

    def _contents(self) -> list[Any]:
        return [c for c in self.children() if isinstance(c, QtWidgets.QWidget) and c is not self._title]

    def _show_or_hide(self, child: Any) -> None:
        asked = child.property(_VISIBILITY)
        self._forcing = True
        child.setVisible(not self._collapsed and asked is not False)
        if asked is not False:  # as CTK does: what it does itself is no wish of anybody, and hiding means something
            child.setAttribute(QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)
        self._forcing = False

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setMaximumHeight(_TITLE_HEIGHT + 4 if collapsed else 16777215)
        self.adopt_children()
        self._refresh()
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed, notify=contentsCollapsed)


@stand_in
class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box that folds away."""

    collapsed = stored(bool, False)


@stand_in
class ctkSliderWidget(QtWidgets.QWidget):
    """A slider with a spin box."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    cpp_signals = ("valueChanged(double)", "valueIsChanging(double)")
    singleStep = stored(float, 1.0)
    pageStep = stored(float, 1.0)
    decimals = stored(int, 2)
    suffix = stored(str, "")
    prefix = stored(str, "")
    tracking = stored(bool, True)
    _slider: Any = None
    _box: Any = None

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._slider.setRange(0, 1000)
        self._box = QtWidgets.QDoubleSpinBox()
        self._box.setRange(0, 100)
        _row(self, self._slider, self._box)
        self._box.valueChanged.connect(self._changed)
        self._slider.sliderMoved.connect(lambda i: self._box.setValue(self.minimum + i / 1000 * self._span()))

    def _span(self) -> float:
        return (self.maximum - self.minimum) or 1.0

    def _changed(self, value: float) -> None:
        self._slider.setValue(round(1000 * (value - self.minimum) / self._span()))
        self.valueChanged.emit(value)

    def _refresh(self) -> None:
        self._box.setSingleStep(self.singleStep)
        self._box.setDecimals(self.decimals)
        self._box.setSuffix(self.suffix)
        self._box.setPrefix(self.prefix)

    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    value = Property(float, lambda self: self._box.value, setValue, notify=valueChanged)
    minimum: Any = Property(float, lambda self: self._box.minimum, lambda self, v: self._box.setMinimum(v))
    maximum: Any = Property(float, lambda self: self._box.maximum, lambda self, v: self._box.setMaximum(v))


@stand_in
class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """A spin box of floats."""


@stand_in
class ctkDirectoryButton(QtWidgets.QPushButton):
    """A button that shows a folder and lets choose another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)
    cpp_signals = ("directoryChanged(QString)", "directorySelected(QString)")
    caption = stored(str, "")
    _directory = "."

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.clicked.connect(self.browse)

    def browse(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(self, self.caption, self._directory)
        if path:
            self.setDirectory(path)
            self.directorySelected.emit(path)

    def setDirectory(self, path: str) -> None:
        if path == self._directory:
            return
        self._directory = path
        self.setText(path)
        self.directoryChanged.emit(path)

    directory = Property(str, lambda self: self._directory, setDirectory, notify=directoryChanged)


@stand_in
class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button that shows a colour and lets choose another."""

    colorChanged = Signal(QtGui.QColor)
    cpp_signals = ("colorChanged(QColor)",)
    displayColorName = stored(bool, True)
    _color = QtGui.QColor(0, 0, 0)

    def setColor(self, color: QtGui.QColor) -> None:
        if color != self._color:
            self._color = color
            self.setStyleSheet(f"background-color: {color.name()}")
            self.colorChanged.emit(color)

    color = Property(QtGui.QColor, lambda self: self._color, setColor, notify=colorChanged)


@stand_in
class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box with icons."""


@stand_in
class ctkComboBox(QtWidgets.QComboBox):
    """A combo box that can elide its text."""

    defaultText = stored(str, "")


@stand_in
class ctkMenuButton(QtWidgets.QPushButton):
    """A button with a menu in its corner."""


@stand_in
class ctkSearchBox(QtWidgets.QLineEdit):
    """A line edit with a magnifying glass."""


@stand_in
class ctkExpandableWidget(QtWidgets.QFrame):
    """A frame the user can make larger."""


@stand_in
class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    """Text that folds to its first line."""

    collapsed = stored(bool, False)
    collapsibleText = stored(str, "")
    setCollapsibleText = setter("collapsibleText")


@stand_in
class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box that can be told not to show again. Tests run with `testingEnabled`, which never opens one."""

    dontShowAgainSettingsKey = stored(str, "")


CTK_WIDGETS = {name: value for name, value in list(globals().items()) if name.startswith("ctk")}
