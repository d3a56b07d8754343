"""A stand-in for CTK's line edit of a path, with the validator that keeps some paths to itself."""

import re
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from .pythonqt import stand_in
from .stand_in import row, stored

Signal, Property = QtCore.Signal, QtCore.Property


@stand_in
class ctkPathLineEdit(QtWidgets.QWidget):
    """A path with a button to choose a file or a folder.

    As in CTK, a path that its name filters do not accept is shown, and nobody is told of it; without filters, that is
    the empty path.
    """

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    cpp_signals = ("currentPathChanged(QString)", "validInputChanged(bool)")
    Files, Dirs, Readable, Writable = 0x002, 0x001, 0x010, 0x020
    settingKey = stored(str, "")
    label = stored(str, "")
    nameFilters = stored("QStringList", [])
    filters = stored(int, Files)
    showHistoryButton = stored(bool, True)
    _edit: Any = None
    _button: Any = None
    _valid = False

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._edit, self._button = QtWidgets.QLineEdit(), QtWidgets.QToolButton()
        self._button.setText("...")
        row(self, self._edit, self._button)
        self._edit.textChanged.connect(lambda text: self._on_text(text))
        self._button.clicked.connect(self.browse)
        self._refresh()

    def _refresh(self) -> None:
        if self._edit is None:  # a property set before the line edit exists
            return
        pattern = QtCore.QRegularExpression(_accepted(self.nameFilters or []))
        self._edit.setValidator(QtGui.QRegularExpressionValidator(pattern, self._edit))

    def _on_text(self, text: str) -> None:
        was, self._valid = self._valid, self._edit.hasAcceptableInput()
        if self._valid:
            self.currentPathChanged.emit(text)
        if self._valid != was:
            self.validInputChanged.emit(self._valid)

    def browse(self) -> None:
        if self.filters & self.Dirs:
            path = QtWidgets.QFileDialog.getExistingDirectory(self, self.label, self.currentPath)
        else:
            path, _ = QtWidgets.QFileDialog.getOpenFileName(
                self, self.label, self.currentPath, ";;".join(self.nameFilters)
            )
        if path:
            self._edit.setText(path)

    def setCurrentPath(self, path: str) -> None:
        self._edit.setText(path)

    def addCurrentPathToHistory(self) -> None:
        """CTK keeps a list of recent paths in the settings."""

    currentPath: Any = Property(str, lambda self: self._edit.text, setCurrentPath, notify=currentPathChanged)


def _accepted(filters: list[str]) -> str:
    """The regular expression of the paths that name filters such as "Model (*.pt *.pth)" accept."""
    patterns = [word for text in filters for word in text.rpartition("(")[2].rstrip(")").split()]
    endings = [match[1] for pattern in patterns if (match := re.match(r"\*\.(\w+)", pattern))]
    return "|".join(rf"(.*\.{ending})" for ending in endings) or ".+"
