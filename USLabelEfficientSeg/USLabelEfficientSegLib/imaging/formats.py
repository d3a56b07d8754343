"""Refusing files whose format cannot be read."""

from pathlib import Path

from ..disk.suffixes import PICTURE_SUFFIXES, format_of
from ..errors import InputError
from .file_formats.voxel_data import open_file
from .vendors import vendor_of

READ_FORMATS = "NRRD, NIfTI, MetaImage, GIPL or DICOM"
PLANAR_REMEDY = "give 3-D volumes, or make a study of 2-D images alone (study create --dimension 2)"
PLANAR_IN_PANEL = "give 3-D volumes, or make a study of 2-D images alone"


def check_format(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a folder, a missing file (`OSError`), a vendor's file by its name, and one without one of the suffixes."""
    if path.is_dir():
        problem = "is a folder without DICOM images"
        raise InputError(path, problem, "give an image file or the folder of a DICOM series")
    with open_file(path):  # tells about a missing file, permission or pipe in plain words
        pass
    if (vendor := vendor_of(path)) is not None:
        raise vendor.refusal(path)
    if format_of(path) in suffixes:
        return
    if format_of(path) in PICTURE_SUFFIXES:
        raise InputError(path, "is a 2-D image", PLANAR_REMEDY, in_panel=PLANAR_IN_PANEL)
    raise InputError(path, "is not of a format that can be read", f"convert it to {READ_FORMATS}")
