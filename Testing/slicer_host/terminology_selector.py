"""A stand-in for Slicer's widget that browses terminologies; a test says what its user chooses.

Slicer's own dialog around it, qSlicerTerminologySelectorDialog, has static functions alone, which Python cannot call.
"""

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from .pythonqt import stand_in
from .stand_in import setter, stored


@stand_in
class qSlicerTerminologyNavigatorWidget(QtWidgets.QWidget):
    """Of qSlicerTerminologyNavigatorWidget's methods those that Python can call (Q_INVOKABLE) and modules use."""

    selectionValidityChanged = QtCore.Signal(bool)
    typeDoubleClicked = QtCore.Signal()
    cpp_signals = ("selectionValidityChanged(bool)", "typeDoubleClicked()")
    overrideSectionVisible = stored(bool, True)
    regionSectionVisible = stored(bool, True)
    setOverrideSectionVisible = setter("overrideSectionVisible")
    setRegionSectionVisible = setter("regionSectionVisible")
    _entry: Any = None

    def setTerminologyEntry(self, entry: Any) -> bool:
        """Show an entry as chosen."""
        self._entry = _copy(entry)
        self.selectionValidityChanged.emit(True)
        return True

    def terminologyEntry(self, entry: Any) -> bool:
        """Copy the chosen entry; returns whether there is one."""
        if self._entry is not None:
            entry.Copy(self._entry)
        return self._entry is not None


def choose(navigator: qSlicerTerminologyNavigatorWidget, serialized: str) -> None:
    """What a user does in the widget: click on a type."""
    entry = slicer.vtkSlicerTerminologyEntry()
    slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(serialized, entry)
    navigator.setTerminologyEntry(entry)


def _copy(entry: Any) -> Any:
    if not isinstance(entry, slicer.vtkSlicerTerminologyEntry):
        raise ValueError(f"setTerminologyEntry takes a vtkSlicerTerminologyEntry, not {entry!r}")
    copied = slicer.vtkSlicerTerminologyEntry()
    copied.Copy(entry)
    return copied


TERMINOLOGY_WIDGETS = {"qSlicerTerminologyNavigatorWidget": qSlicerTerminologyNavigatorWidget}
