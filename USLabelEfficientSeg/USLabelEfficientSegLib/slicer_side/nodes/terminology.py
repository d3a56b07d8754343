"""Standard codes for organs that ultrasound shows, as Slicer writes them into segments and DICOM.

The codes are those of "Segmentation category and type - 3D Slicer General Anatomy list", which comes with Slicer.
"""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ...annotation.organ_codes import organ_code

_CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGIONS = "Anatomic codes - DICOM master list"
_STRUCTURE = "SCT^123037004^Anatomical Structure"
_ALTERED = "SCT^49755003^Morphologically Altered Structure"
_TISSUE = ("SCT^85756007^Tissue", "SCT^85756007^Tissue")


def terminology_of(organ: str) -> str:
    """Slicer's serialised terminology entry for an organ's name; "Tissue", as Slicer's own default, if unknown."""
    code = organ_code(organ)
    category, kind = _TISSUE
    if code is not None:
        category, kind = _ALTERED if code.altered else _STRUCTURE, f"SCT^{code.value}^{code.meaning.title()}"
    return f"{_CONTEXT}~{category}~{kind}~^^~{_REGIONS}~^^~^^"


def meaning_of(entry: str) -> str:
    """What a serialised terminology entry means, "Prostate"; empty for none."""
    parts = entry.split("~")  # context, category, type, ...: each code^scheme^meaning
    return parts[2].split("^")[-1] if len(parts) > 2 else ""


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
