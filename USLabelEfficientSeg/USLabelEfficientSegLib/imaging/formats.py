"""The formats of image files, told by their suffixes."""

from pathlib import Path

from ..errors import InputError

READ_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".gipl", ".gipl.gz")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")  # of 2-D images without pixel size
WRITE_SUFFIXES = (".nrrd", ".nii", ".nii.gz", ".mha")
READ_FORMATS = "NRRD, NIfTI, MetaImage, GIPL or DICOM"
PLANAR_REMEDY = "give 3-D volumes, or make a study of 2-D images alone (study create --dimension 2)"


def suffix_of(path: Path) -> str:
    """The longest known suffix of a file name, in small letters; empty for a file of another kind."""
    name = path.name.lower()
    known = [suffix for suffix in (*READ_SUFFIXES, *PICTURE_SUFFIXES, ".dcm") if name.endswith(suffix)]
    return max(known, key=len, default="")


def check_format(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a folder, a missing file (`OSError`), and a file without one of the suffixes."""
    if path.is_dir():
        problem = "is a folder without DICOM images"
        raise InputError(path, problem, "give an image file or the folder of a DICOM series")
    with path.open("rb"):  # tells about a missing file or permission in plain words
        pass
    if suffix_of(path) in suffixes:
        return
    if suffix_of(path) in PICTURE_SUFFIXES:
        raise InputError(path, "is a 2-D image", PLANAR_REMEDY)
    raise InputError(path, "is not of a format that can be read", f"convert it to {READ_FORMATS}")
