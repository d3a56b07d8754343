"""Standard codes for organs that ultrasound shows, as Slicer writes them into segments and DICOM.

The codes are those of "Segmentation category and type - 3D Slicer General Anatomy list", which comes with Slicer.
"""

_CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGIONS = "Anatomic codes - DICOM master list"
_STRUCTURE = "SCT^123037004^Anatomical Structure"
_ALTERED = "SCT^49755003^Morphologically Altered Structure"
_TISSUE = ("SCT^85756007^Tissue", "SCT^85756007^Tissue")
_KNOWN = {
    "bladder": (_STRUCTURE, "SCT^89837001^Bladder"),
    "brain": (_STRUCTURE, "SCT^12738006^Brain"),
    "cyst": (_ALTERED, "SCT^367643001^Cyst"),
    "head": (_STRUCTURE, "SCT^69536005^Head"),
    "heart": (_STRUCTURE, "SCT^80891009^Heart"),
    "kidney": (_STRUCTURE, "SCT^64033007^Kidney"),
    "left ventricle": (_STRUCTURE, "SCT^87878005^Left Ventricle"),
    "liver": (_STRUCTURE, "SCT^10200004^Liver"),
    "mass": (_ALTERED, "SCT^4147007^Mass"),
    "ovary": (_STRUCTURE, "SCT^15497006^Ovary"),
    "pancreas": (_STRUCTURE, "SCT^15776009^Pancreas"),
    "prostate": (_STRUCTURE, "SCT^41216001^Prostate"),
    "right ventricle": (_STRUCTURE, "SCT^53085002^Right Ventricle"),
    "spleen": (_STRUCTURE, "SCT^78961009^Spleen"),
    "thyroid": (_STRUCTURE, "SCT^69748006^Thyroid"),
    "uterus": (_STRUCTURE, "SCT^35039007^Uterus"),
}


def terminology_of(organ: str) -> str:
    """Slicer's serialised terminology entry for an organ's name; "Tissue", as Slicer's own default, if unknown."""
    category, kind = _KNOWN.get(organ.strip().lower(), _TISSUE)
    return f"{_CONTEXT}~{category}~{kind}~^^~{_REGIONS}~^^~^^"
