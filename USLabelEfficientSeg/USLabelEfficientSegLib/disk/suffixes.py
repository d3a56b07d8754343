"""The kinds of image files, told by their suffixes."""

from pathlib import Path

READ_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".gipl", ".gipl.gz")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")  # of 2-D images without pixel size
WRITE_SUFFIXES = (".nrrd", ".nii", ".nii.gz", ".mha")
SEGMENTATION_SUFFIX = ".seg.nrrd"  # of 3D Slicer: NRRD in the name of the volume


def suffix_of(path: Path) -> str:
    """The longest known suffix of a file name, in small letters; empty for a file of another kind."""
    name = path.name.lower()
    suffixes = (*READ_SUFFIXES, SEGMENTATION_SUFFIX, *PICTURE_SUFFIXES, ".dcm")
    return max((suffix for suffix in suffixes if name.endswith(suffix)), key=len, default="")


def format_of(path: Path) -> str:
    """The suffix of the format of a file: as `suffix_of`, and .nrrd of a segmentation."""
    suffix = suffix_of(path)
    return ".nrrd" if suffix == SEGMENTATION_SUFFIX else suffix
