"""Volumes and 2-D images of DICOM files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ...errors import InputError
from ..geometry import Geometry
from ..stacking import Plane, stack
from .files import images, readable
from .pixels import pixels_of
from .placement import has_position, placements, rounding_mm, time_of
from .spacing import Contradiction, Size, agreed_spacing, check_slice_distance, pixel_spacing
from .values import frame_count
from .vendors import HiddenVolume, vendor_of


@dataclass(frozen=True)
class Header:
    """An image without its pixels, and the position of each of its frames (F, 3) in LPS millimetres."""

    dataset: Dataset
    positions: NDArray[np.float64]


def read_frames(path: Path, *, labels: bool = False) -> list[tuple[NDArray[np.generic], Geometry]]:
    """Read a DICOM file or the one series of a folder, a volume for every time point.

    Args:
        path: the file or folder.
        labels: return the numbers that are stored, not the brightness that they stand for.

    Returns:
        For each time point the voxels (I, J, K) or (I, J, K, 3 colours) and their grid; k runs along the
        normal of the slices, i and j as in the frames.

    Raises:
        InputError: damaged, several series, no position or spacing, attributes that contradict each other, frames
            over time, slices that do not form a rectangular grid (uneven, missing, doubled, turned or shifted against
            each other), or a volume that a vendor hides in private elements.
    """
    vendors: dict[Path, HiddenVolume] = {}
    try:
        return _volumes(path, labels, vendors)
    except InputError:
        for file, vendor in vendors.items():  # the cause of whatever is missing
            raise vendor.refusal(file) from None
        raise


def _volumes(path: Path, labels: bool, vendors: dict[Path, HiddenVolume]) -> list[tuple[NDArray[np.generic], Geometry]]:
    """As `read_frames`; files in which vendors hide a volume are added to `vendors`."""
    planes: list[Plane] = []
    series, headers = set(), []
    for file, dataset in images(path):
        with readable(file):
            if (vendor := vendor_of(dataset)) is not None:
                vendors[file] = vendor
            series.add(dataset.get("SeriesInstanceUID"))
            planes += _planes(dataset, file, labels=labels)
            del dataset.PixelData
        headers.append((file, dataset))
    if len(series) > 1:
        raise InputError(path, f"holds {len(series)} DICOM series", "put each series into its own folder")
    if not planes:
        raise InputError(path, "holds no DICOM image", "give a DICOM image or the folder of a series")
    if len(planes) == 1:
        remedy = "give the folder with all slices of the series, or make a study of 2-D images"
        raise InputError(path, "is a single 2-D frame", f"{remedy} (--dimension 2)", in_panel=remedy)
    volumes = stack(planes, path)
    for file, dataset in headers:
        with readable(file):
            check_slice_distance(dataset, volumes[0][1].spacing[2], path)
    return volumes


def read_image(path: Path, *, labels: bool = False) -> tuple[NDArray[np.generic], Size | Contradiction | None]:
    """Read a DICOM file, or a folder of one, that holds a single frame.

    Returns:
        The pixels (I, J, 1) or (I, J, 1, 3 colours), and their spacing along i and j in mm as far as it is told.

    Raises:
        InputError: damaged, several frames, or the screenshot of a volume that a vendor hides in the file.
    """
    found = list(images(path))
    if len(found) != 1 or not _is_single_frame(*found[0]):
        problem = "is no 2-D image but a volume, a film or a series"
        raise InputError(path, problem, "export the frame of interest as a file of its own")
    file, dataset = found[0]
    with readable(file):
        vendor = vendor_of(dataset)
    if vendor is not None and vendor.beside_a_picture:
        raise vendor.refusal(path)
    with readable(file):
        frame = pixels_of(dataset, file, stored=labels)[0]
        return np.ascontiguousarray(np.swapaxes(frame, 0, 1)[:, :, None]), agreed_spacing(dataset, 0)


def is_loose_frame(path: Path) -> bool:
    """Whether a file or folder holds a single frame that is no slice of a series with positions."""
    found = list(images(path, pixels=False))
    if len(found) != 1:
        return False
    file, dataset = found[0]
    with readable(file):
        return frame_count(dataset) == 1 and not has_position(dataset)


def read_headers(path: Path) -> list[Header]:
    """The images of a DICOM file or series without their pixels, in no particular order.

    Raises:
        InputError: damaged, or a frame without position; whether they form a volume is not checked.
    """
    headers = []
    for file, dataset in images(path, pixels=False):
        with readable(file):
            positions = np.array([placement.position for placement in placements(dataset, file)])
            headers.append(Header(dataset, positions))
    return headers


def _is_single_frame(file: Path, dataset: Dataset) -> bool:
    with readable(file):
        return frame_count(dataset) == 1


def _planes(dataset: Dataset, file: Path, *, labels: bool) -> Iterator[Plane]:
    pixels = pixels_of(dataset, file, stored=labels)
    rounding = rounding_mm(dataset)
    for frame, placement in enumerate(placements(dataset, file)):
        spacing, time = pixel_spacing(dataset, frame, file), time_of(dataset, frame)
        yield Plane(pixels[frame], placement.position, placement.axes, spacing, time, rounding)
