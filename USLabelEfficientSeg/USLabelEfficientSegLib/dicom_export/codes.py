"""Codes of organs, measurement methods and quality flags (PS3.16; SNOMED CT, DCM, UCUM and own ones)."""

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ..annotation.organ_codes import organ_code
from ..measurement.flags import Flag

OWN_SCHEME = "99USLES"  # designators that start with 99 are private, PS3.16 section 8

ULTRASONOGRAPHY = CodedConcept("16310003", "SCT", "Ultrasonography")
SUM_OF_VOXELS = codes.DCM.SumOfSegmentedVoxelMethodForVolume
ELLIPSOID_FORMULA = codes.DCM.LWHMethodForVolumeOfEllipsoid
VOLUME_OF_MESH = codes.IBSI.VolumeOfMesh
SUM_OF_PROBABILITIES = CodedConcept("probability-sum", OWN_SCHEME, "Sum of voxel probabilities method for volume")
SUM_OF_PIXEL_PROBABILITIES = CodedConcept(
    "probability-sum-area", OWN_SCHEME, "Sum of pixel probabilities method for area"
)
SUM_OF_PIXELS = CodedConcept("pixel-sum-area", OWN_SCHEME, "Sum of segmented pixels method for area")
FITTED_ELLIPSE = CodedConcept("moments-ellipse", OWN_SCHEME, "Ellipse of the same area and second moments")
QUALITY_FLAG = CodedConcept("quality-flag", OWN_SCHEME, "Quality flag")


def code_of(organ: str) -> Code | CodedConcept:
    """SNOMED CT code of an organ's anatomy, or that of any organ; labels keep its name."""
    known = organ_code(organ)
    return codes.SCT.Organ if known is None or known.altered else CodedConcept(known.value, "SCT", known.meaning)


def flag_code(flag: Flag) -> CodedConcept:
    """Code of a quality flag."""
    return CodedConcept(flag.value.replace("_", "-"), OWN_SCHEME, flag.value.replace("_", " ").capitalize())
