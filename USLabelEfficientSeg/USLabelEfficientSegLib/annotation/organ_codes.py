"""SNOMED CT codes of what ultrasound shows, one table for DICOM objects and for Slicer's segments."""

from typing import NamedTuple


class OrganCode(NamedTuple):
    """A code, its meaning, and whether it means a change, such as a cyst, rather than anatomy."""

    value: str
    meaning: str
    altered: bool = False


_CODES = {
    "bladder": OrganCode("89837001", "Bladder"),
    "brain": OrganCode("12738006", "Brain"),
    "breast": OrganCode("76752008", "Breast"),
    "carotid artery": OrganCode("69105007", "Carotid Artery"),
    "cyst": OrganCode("367643001", "Cyst", altered=True),
    "fetal head": OrganCode("85765000", "Fetal head"),
    "gallbladder": OrganCode("28231008", "Gallbladder"),
    "head": OrganCode("69536005", "Head"),
    "heart": OrganCode("80891009", "Heart"),
    "kidney": OrganCode("64033007", "Kidney"),
    "left atrium": OrganCode("82471001", "Left atrium"),
    "left ventricle": OrganCode("87878005", "Left ventricle"),
    "liver": OrganCode("10200004", "Liver"),
    "mass": OrganCode("4147007", "Mass", altered=True),
    "ovary": OrganCode("15497006", "Ovary"),
    "pancreas": OrganCode("15776009", "Pancreas"),
    "placenta": OrganCode("78067005", "Placenta"),
    "prostate": OrganCode("41216001", "Prostate"),
    "right ventricle": OrganCode("53085002", "Right ventricle"),
    "spleen": OrganCode("78961009", "Spleen"),
    "testis": OrganCode("40689003", "Testis"),
    "thyroid": OrganCode("69748006", "Thyroid"),
    "uterus": OrganCode("35039007", "Uterus"),
}


def organ_code(name: str) -> OrganCode | None:
    """The code of an organ's English name in upper or lower case, None for other names."""
    return _CODES.get(name.strip().lower().replace("_", " "))
