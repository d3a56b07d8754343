"""A stand-in for Slicer's dialog of terminologies; a test says what its user chooses."""

from typing import Any

import slicer
from PySide6 import QtCore

from .pythonqt import stand_in


@stand_in
class qSlicerTerminologySelectorDialog(QtCore.QObject):
    """The dialog; of its static functions the one that Python can call.

    Attributes:
        chosen: the serialized terminology that its user chooses from now on; "" for Cancel.
    """

    chosen = ""

    @staticmethod
    def getTerminology(terminologyEntry: Any, parent: Any) -> bool:
        """Let the user choose. The entry takes the choice; returns whether there is one."""
        if not isinstance(terminologyEntry, slicer.vtkSlicerTerminologyEntry):
            raise ValueError(f"getTerminology takes a vtkSlicerTerminologyEntry, not {terminologyEntry!r}")
        if parent is not None and not isinstance(parent, QtCore.QObject):
            raise ValueError(f"getTerminology takes a QObject as parent, not {parent!r}")
        chosen = qSlicerTerminologySelectorDialog.chosen
        if not chosen:
            return False
        logic = slicer.modules.terminologies.logic()
        return bool(logic.DeserializeTerminologyEntry(chosen, terminologyEntry))


TERMINOLOGY_WIDGETS = {"qSlicerTerminologySelectorDialog": qSlicerTerminologySelectorDialog}
