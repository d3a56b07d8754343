"""2-D images and their labels as files: PNG, JPEG, BMP, TIFF, NRRD, NIfTI, MetaImage, GIPL and DICOM.

In memory an image is a volume of one slice, see `Scan`. It has a position in space only if its file is a
3-D file of one slice.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..disk.suffixes import PICTURE_SUFFIXES, READ_SUFFIXES, suffix_of
from ..errors import InputError
from . import dicom
from .file_errors import about, reading
from .files import grey_voxels, image_name
from .formats import check_format
from .geometry import Geometry
from .pictures import read_picture
from .pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from .scan import LabelMap, Scan
from .volume_files import read_header, read_segments, read_slice

MASK = 255  # of the organ in a black and white label
_OUTLINE_PIXELS = 4  # an outline is at most about this thick


def read_image(path: Path | str, sizes: PixelSizes = UNKNOWN_PIXEL_SIZES) -> Scan:
    """Read a 2-D ultrasound image; colour becomes grey (luminance of ITU-R BT.601).

    Args:
        path: the file, or a folder with one DICOM file.
        sizes: tells the pixel size where the file does not.

    Raises:
        InputError: missing, unreadable, cut short, not finite, constant or a volume; or its file tells no pixel size,
            or several, and neither does `sizes`.
    """
    path = Path(path)
    voxels, own = _read(path)
    with about(path):
        return Scan(grey_voxels(voxels), _sized(path, voxels, own, sizes), image_name(path))


def read_image_labels(
    path: Path | str,
    geometry: Geometry | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
    *,
    organs: int | None = None,
) -> LabelMap:
    """Read the labels of a 2-D image as uint8: 0 background, 1..254 organs.

    A black and white label, of 0 and 255 alone, is the mask of the only organ and becomes 0 and 1.

    Args:
        path: the file.
        geometry: of the image: also of a label in a format without pixel size, which must have as many pixels.
        sizes: tells the pixel size where neither file nor geometry does.
        organs: their number, if it is known.

    Raises:
        InputError: as for `read_image` (a constant label is fine), values that are no labels, a mask where there are
            several organs, an outline instead of a filled organ, or another size than the image.
    """
    path = Path(path)
    voxels, own, segments = _read_labels(path)
    if isinstance(own, dicom.Contradiction) and geometry is not None:
        own = geometry  # the size of the image is known; that of its label need not be
    if voxels.ndim == 4:
        if np.ptp(voxels[..., :3], axis=-1).any():
            raise InputError(path, "is not a label (colour)", "give one class number a pixel, 0 for background")
        voxels = voxels[..., 0]
    if geometry is not None and voxels.shape[:2] != geometry.shape[:2]:
        sides = " x ".join(map(str, voxels.shape[:2]))
        problem = f"has {sides} pixels, its image {geometry.shape[0]} x {geometry.shape[1]}"
        raise InputError(path, problem, "give the label at the pixels of its image")
    if own is None and geometry is not None:
        own = geometry
    with about(path):
        labels = _class_numbers(path, voxels)
        mask = bool((voxels == MASK).any())
        if organs is not None and organs > 1 and mask:
            problem = f"is black and white, but there are {organs} organs"
            raise InputError(path, problem, "give class numbers 0, 1, 2 and so on")
        return LabelMap(labels, _sized(path, voxels, own, sizes), image_name(path), segments, mask)


def _read(path: Path, *, labels: bool = False) -> tuple[NDArray[np.generic], Geometry | dicom.Contradiction | None]:
    """Pixels (I, J, 1) or (I, J, 1, colours), and their grid if the file tells a pixel size, or several."""
    with reading(path):
        if dicom.is_dicom(path):
            pixels, spacing = dicom.read_image(path, labels=labels)
            return pixels, _grid(pixels, spacing) if isinstance(spacing, tuple) else spacing
        check_format(path, (*READ_SUFFIXES, *PICTURE_SUFFIXES))
        if suffix_of(path) in PICTURE_SUFFIXES:
            return read_picture(path, labels=labels), None
        return read_slice(read_header(path))


def _read_labels(path: Path) -> tuple[NDArray[np.generic], Geometry | dicom.Contradiction | None, Mapping[int, str]]:
    """As `_read`, with the names that the file gives to its labels."""
    if dicom.is_dicom(path):
        if dicom.is_segmentation(path):
            with reading(path):
                return dicom.read_segmentation(path, planar=True)
        return *_read(path, labels=True), {}
    pixels, own = _read(path, labels=True)
    return pixels, own, read_segments(path)


def _sized(
    path: Path, voxels: NDArray[np.generic], own: Geometry | dicom.Contradiction | None, sizes: PixelSizes
) -> Geometry:
    if isinstance(own, dicom.Contradiction):
        return _grid(voxels, sizes.instead_of(path, str(own)))
    if own is None:
        return _grid(voxels, sizes.of(path, None))
    sizes.of(path, own.spacing[:2])  # a table that says otherwise is not ignored
    return own


def _grid(voxels: NDArray[np.generic], spacing: tuple[float, float]) -> Geometry:
    i, j = voxels.shape[:2]
    return Geometry((i, j, 1), (*spacing, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def _class_numbers(path: Path, voxels: NDArray[np.generic]) -> NDArray[np.uint8]:
    with np.errstate(invalid="ignore"):
        labels = voxels.astype(np.uint8)
    values = np.unique(labels)
    if not np.array_equal(labels, voxels) or (MASK in values and not set(values.tolist()) <= {0, MASK}):
        shown = ", ".join(f"{value:g}" for value in np.unique(voxels)[:6].astype(float))
        problem = f"holds grey values that are no labels ({shown}, ...)"
        remedy = "give class numbers 0, 1, 2, ..., or 0 and 255 for one organ, in a format without loss such as PNG"
        raise InputError(path, problem, remedy)
    if MASK not in values:
        return labels
    mask = labels == MASK
    if mask.all():
        raise InputError(path, "has the value 255 in every pixel", "give 0 for background")
    if _is_outline(mask[..., 0]):
        raise InputError(path, "is the outline of an organ, not its area", "fill the outline")
    return mask.astype(np.uint8)


def _is_outline(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask is a thin line around an area much larger than itself."""
    filled = ndimage.binary_fill_holes(mask)
    core = ndimage.binary_erosion(mask, iterations=_OUTLINE_PIXELS)
    return bool(not core.any() and np.count_nonzero(filled) > 2 * np.count_nonzero(mask))
