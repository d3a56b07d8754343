"""The user chooses what an organ is from Slicer's terminologies."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _


def choose_terminology(entry: str, organ: str) -> str | None:
    """Let the user choose from Slicer's terminologies.

    Args:
        entry: what is chosen at first, serialised.
        organ: for the title of the dialog.

    Returns:
        The chosen entry, serialised; None if the user thinks better of it.
    """
    logic, chosen = slicer.vtkSlicerTerminologiesModuleLogic, slicer.vtkSlicerTerminologyEntry()
    dialog, navigator = _terminology_dialog(organ)
    if entry and logic.DeserializeTerminologyEntry(entry, chosen):
        navigator.setTerminologyEntry(chosen)
    accepted = dialog.exec_() == qt.QDialog.Accepted and navigator.terminologyEntry(chosen)
    dialog.deleteLater()
    return str(logic.SerializeTerminologyEntry(chosen)) if accepted else None


def _terminology_dialog(organ: str) -> tuple[Any, Any]:
    """A dialog around Slicer's navigator of terminologies. Its own dialog cannot be called from Python."""
    dialog = qt.QDialog(slicer.util.mainWindow())
    dialog.setWindowTitle(_("Terminology of {organ}").format(organ=organ))
    navigator = slicer.qSlicerTerminologyNavigatorWidget()
    navigator.setOverrideSectionVisible(False)  # name and colour are chosen in the table
    buttons = qt.QDialogButtonBox(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
    layout = qt.QVBoxLayout(dialog)
    layout.addWidget(navigator)
    layout.addWidget(buttons)
    navigator.connect("selectionValidityChanged(bool)", buttons.button(qt.QDialogButtonBox.Ok).setEnabled)
    navigator.connect("typeDoubleClicked()", dialog.accept)
    buttons.connect("accepted()", dialog.accept)
    buttons.connect("rejected()", dialog.reject)
    return dialog, navigator
