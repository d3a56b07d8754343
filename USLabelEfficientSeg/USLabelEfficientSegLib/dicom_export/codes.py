"""Codes of organs, measurement methods and quality flags (PS3.16; SNOMED CT, DCM, UCUM and own ones)."""

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ..measurement.flags import Flag

OWN_SCHEME = "99USLES"  # designators that start with 99 are private, PS3.16 section 8

ULTRASONOGRAPHY = CodedConcept("16310003", "SCT", "Ultrasonography")
SUM_OF_VOXELS = codes.DCM.SumOfSegmentedVoxelMethodForVolume
ELLIPSOID_FORMULA = codes.DCM.LWHMethodForVolumeOfEllipsoid
VOLUME_OF_MESH = codes.IBSI.VolumeOfMesh
SUM_OF_PROBABILITIES = CodedConcept("probability-sum", OWN_SCHEME, "Sum of voxel probabilities method for volume")
QUALITY_FLAG = CodedConcept("quality-flag", OWN_SCHEME, "Quality flag")

_ORGANS = {
    "bladder": codes.SCT.Bladder,
    "breast": codes.SCT.Breast,
    "carotid artery": codes.SCT.CarotidArtery,
    "fetal head": CodedConcept("85765000", "SCT", "Fetal head"),
    "gallbladder": codes.SCT.Gallbladder,
    "heart": codes.SCT.Heart,
    "kidney": codes.SCT.Kidney,
    "left atrium": codes.SCT.LeftAtrium,
    "left ventricle": codes.SCT.LeftVentricle,
    "liver": codes.SCT.Liver,
    "ovary": codes.SCT.Ovary,
    "pancreas": codes.SCT.Pancreas,
    "placenta": codes.SCT.Placenta,
    "prostate": codes.SCT.Prostate,
    "right ventricle": codes.SCT.RightVentricle,
    "spleen": codes.SCT.Spleen,
    "testis": codes.SCT.Testis,
    "thyroid": CodedConcept("69748006", "SCT", "Thyroid"),
    "uterus": codes.SCT.Uterus,
}


def organ_code(organ: str) -> Code | CodedConcept:
    """SNOMED CT code of an organ's English name in either case, or that of any organ; labels keep its name."""
    return _ORGANS.get(organ.strip().lower().replace("_", " "), codes.SCT.Organ)


def flag_code(flag: Flag) -> CodedConcept:
    """Code of a quality flag."""
    return CodedConcept(flag.value.replace("_", "-"), OWN_SCHEME, flag.value.replace("_", " ").capitalize())
