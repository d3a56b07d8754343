"""The formats of image files, told by their suffixes."""

from pathlib import Path

from ..errors import InputError
from .file_formats.voxel_data import open_file

READ_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".gipl", ".gipl.gz")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")  # of 2-D images without pixel size
WRITE_SUFFIXES = (".nrrd", ".nii", ".nii.gz", ".mha")
SEGMENTATION_SUFFIX = ".seg.nrrd"  # of 3D Slicer: NRRD in the name of the volume
READ_FORMATS = "NRRD, NIfTI, MetaImage, GIPL or DICOM"
PLANAR_REMEDY = "give 3-D volumes, or make a study of 2-D images alone (study create --dimension 2)"


def suffix_of(path: Path) -> str:
    """The longest known suffix of a file name, in small letters; empty for a file of another kind."""
    name = path.name.lower()
    suffixes = (*READ_SUFFIXES, SEGMENTATION_SUFFIX, *PICTURE_SUFFIXES, ".dcm")
    return max((suffix for suffix in suffixes if name.endswith(suffix)), key=len, default="")


def format_of(path: Path) -> str:
    """The suffix of the format of a file: as `suffix_of`, and .nrrd of a segmentation."""
    suffix = suffix_of(path)
    return ".nrrd" if suffix == SEGMENTATION_SUFFIX else suffix


def check_format(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a folder, a missing file (`OSError`), and a file without one of the suffixes."""
    if path.is_dir():
        problem = "is a folder without DICOM images"
        raise InputError(path, problem, "give an image file or the folder of a DICOM series")
    with open_file(path):  # tells about a missing file, permission or pipe in plain words
        pass
    if format_of(path) in suffixes:
        return
    if format_of(path) in PICTURE_SUFFIXES:
        raise InputError(path, "is a 2-D image", PLANAR_REMEDY)
    raise InputError(path, "is not of a format that can be read", f"convert it to {READ_FORMATS}")
