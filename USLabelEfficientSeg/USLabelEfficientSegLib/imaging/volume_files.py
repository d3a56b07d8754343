"""Volumes in NRRD, NIfTI, MetaImage and GIPL, by the strict readers of `file_formats`."""

from pathlib import Path

from ..disk.suffixes import READ_SUFFIXES, format_of
from ..errors import InputError
from .file_errors import reading
from .file_formats import gipl, metaimage, nifti, nrrd
from .file_formats.header import Header, understood
from .file_formats.segmentation import segments_of
from .file_formats.voxel_data import TimePoint, read_time_points
from .formats import PLANAR_IN_PANEL, PLANAR_REMEDY, READ_FORMATS, check_format
from .geometry import Geometry

_READERS = {
    ".nrrd": nrrd.read_header,
    ".nhdr": nrrd.read_header,
    ".nii": nifti.read_header,
    ".nii.gz": nifti.read_header,
    ".mha": metaimage.read_header,
    ".mhd": metaimage.read_header,
    ".gipl": gipl.read_header,
    ".gipl.gz": gipl.read_header,
}


def read_header(path: Path) -> Header:
    """The header of an image file, without the voxels.

    Raises:
        InputError: damaged, not understood, or without a spacing in mm.
        OSError: the file cannot be opened.
    """
    if format_of(path) not in _READERS:
        raise InputError(path, "is not of a format that can be read", f"convert it to {READ_FORMATS}")
    return _READERS[format_of(path)](path)


def read_grid(path: Path) -> Geometry:
    """The grid of a 3-D image file, from its header alone.

    Raises:
        InputError: as `read_header`, or 2-D.
        OSError: the file cannot be opened.
    """
    header = read_header(path)
    if header.dimension < 3:
        raise InputError(path, "is a 2-D image", "give a 3-D volume")
    return header.geometry


def read_geometry(path: Path | str, *, planar: bool = False) -> Geometry:
    """The grid of a volume or, if `planar`, of a 2-D image, from the header of its file alone.

    Raises:
        InputError: missing, unreadable, or 2-D where a volume is wanted.
    """
    path = Path(path)
    with reading(path):
        check_format(path, READ_SUFFIXES)
        return read_header(path).geometry if planar else read_grid(path)


def read_volumes(header: Header) -> list[TimePoint]:
    """The volume of each time point.

    Raises:
        InputError: damaged, or a 2-D image.
        OSError: the file cannot be opened.
    """
    if header.dimension < 3:
        raise InputError(header.path, "is a 2-D image", PLANAR_REMEDY, in_panel=PLANAR_IN_PANEL)
    return read_time_points(header)


def read_slice(header: Header) -> TimePoint:
    """The one slice of a 2-D image.

    Raises:
        InputError: damaged, or a volume.
        OSError: the file cannot be opened.
    """
    shape = (*header.geometry.shape[:2], header.geometry.shape[2] * header.times)
    if shape[2] > 1:
        problem = f"is no 2-D image but a volume of {' x '.join(map(str, shape))} voxels"
        raise InputError(header.path, problem, "keep volumes and 2-D images in folders of their own")
    return read_time_points(header)[0]


def read_segments(path: Path) -> dict[int, str]:
    """The names of the labels in a file with one layer, by value (`SegmentN_LabelValue` and `SegmentN_Name`).

    Raises:
        InputError: as `read_header`.
        OSError: the file cannot be opened.
    """
    if format_of(path) not in _READERS:
        return {}
    with understood(path):
        return {segment.value: segment.name for segment in segments_of(read_header(path).texts) if segment.name}
