"""Standard codes for organs that ultrasound shows, as Slicer writes them into segments and DICOM.

The codes are those of "Segmentation category and type - 3D Slicer General Anatomy list", which comes with Slicer.
"""

from __future__ import annotations

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
