"""Volumes that vendors hide in private elements of DICOM, beside a screenshot or without a grid.

The marks are those by which SlicerHeart's DICOM plugin knows them (https://github.com/SlicerHeart/SlicerHeart).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from ..vendors import KRETZ, Vendor

_BY_SLICERHEART = "load it through the DICOM module of 3D Slicer with the extension SlicerHeart"
_TAKE = "and take the volume from there or save it as NRRD"
_QLAB = "1.2.840.113543.6.6.1.3.10002"  # SOP class


@dataclass(frozen=True)
class HiddenVolume(Vendor):
    """What a vendor's DICOM file holds.

    Args:
        beside_a_picture: the standard pixels are a screenshot, no image to be measured.
    """

    beside_a_picture: bool = False


_KRETZ = HiddenVolume(f"{KRETZ.name} in DICOM", f"{_BY_SLICERHEART}, {_TAKE}", beside_a_picture=True)
_GE_MOVIE = HiddenVolume(
    "a GE volume in private DICOM elements (Vivid)",
    f"{_BY_SLICERHEART} and GE's Image3dAPI loader, on Windows, {_TAKE}",
    beside_a_picture=True,
)
_PHILIPS = HiddenVolume(
    "a Philips volume that tells its grid in private DICOM elements alone (Affiniti)", f"{_BY_SLICERHEART}, {_TAKE}"
)
_PHILIPS_QLAB = HiddenVolume(
    "a Cartesian export of Philips QLAB, which is no valid DICOM",
    "make it NRRD with the module Philips 4D US DICOM patcher of the extension SlicerHeart in 3D Slicer",
)
_EIGEN = HiddenVolume("an Eigen Artemis volume, which does not tell its grid", f"{_BY_SLICERHEART}, {_TAKE}")


def vendor_of(dataset: Dataset) -> HiddenVolume | None:
    """The vendor that hides a volume in a data set, None if no known one does."""
    if dataset.get("SOPClassUID") == _QLAB:
        return _PHILIPS_QLAB
    if _block(dataset, 0x7FE1, "KRETZ_US") is not None:
        return _KRETZ
    if _is_ge_volume(dataset):
        return _GE_MOVIE
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1 and _element(dataset, 0x200D, "Philips US Imaging DD 036", 0x03) is not None:
        return _PHILIPS
    if frames > 1 and (dataset.get("Manufacturer"), dataset.get("ManufacturerModelName")) == ("Eigen", "Artemis"):
        return _EIGEN
    return None


def _is_ge_volume(dataset: Dataset) -> bool:
    """Whether a movie group is of three dimensions, such as "Trace+3D"."""
    creator = "GEMS_Ultrasound_MovieGroup_001"
    groups = _element(dataset, 0x7FE1, creator, 0x01)
    if not isinstance(groups, Sequence) or isinstance(groups, (str, bytes)):
        return False
    return any("3D" in str(_element(group, 0x7FE1, creator, 0x02)) for group in groups)


def _block(dataset: Dataset, group: int, creator: str) -> int | None:
    """The block of private elements that a creator has reserved (PS3.5 7.8.1)."""
    reserved = (block for block in range(0x10, 0x100) if (group, block) in dataset)
    return next((block for block in reserved if str(dataset[group, block].value).strip() == creator), None)


def _element(dataset: Dataset, group: int, creator: str, element: int) -> object:
    """The value of a private element, None if there is none."""
    block = _block(dataset, group, creator)
    if block is None or (group, (block << 8) + element) not in dataset:
        return None
    return dataset[group, (block << 8) + element].value
