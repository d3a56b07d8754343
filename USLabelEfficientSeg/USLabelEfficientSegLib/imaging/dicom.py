"""Ultrasound volumes in DICOM: enhanced multi-frame files and series of single frames.

Where a frame lies is read from the functional groups of an enhanced file (PS3.3 C.7.6.16.2 and, for the
positions relative to the transducer of an Enhanced US Volume, C.8.24.6) or from the image plane of a single
frame (C.7.6.2). Positions relative to the patient are preferred to those relative to the transducer.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError
from typing import cast

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813 - the name that its users know
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_rescale
from pydicom.pixels.utils import pixel_array

from ..errors import InputError
from .stacking import Plane, stack
from .volume import Geometry, check_voxel_count

_GREY_OR_COLOUR = ("MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_CENTIMETRES = 3  # Physical Units of an ultrasound region, PS3.3 C.8.5.5.1.15
_POSITION_GROUP = {"Patient": "PlanePositionSequence", "Volume": "PlanePositionVolumeSequence"}
_ORIENTATION_GROUP = {"Patient": "PlaneOrientationSequence", "Volume": "PlaneOrientationVolumeSequence"}
_NO_POSITION, _NO_ROTATION = (0, 0, 0), (1, 0, 0, 0, 1, 0)
_BROKEN_FILE = (
    InvalidDicomError,
    EOFError,
    LookupError,
    ValueError,
    AttributeError,
    TypeError,
    RuntimeError,
    StructError,
)


@dataclass(frozen=True)
class Header:
    """An image without its pixels, and the position of each of its frames (F, 3) in LPS millimetres."""

    dataset: Dataset
    positions: NDArray[np.float64]


def is_dicom(path: Path) -> bool:
    """Whether a file starts like DICOM, or a folder holds such a file."""
    if path.is_dir():
        return any(is_dicom(entry) for entry in path.iterdir() if entry.is_file())
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_frames(path: Path) -> list[tuple[NDArray[np.generic], Geometry]]:
    """Read a DICOM file or the one series of a folder, a volume for every time point.

    Returns:
        For each time point the voxels (I, J, K) or (I, J, K, 3 colours) and their grid; k runs along the
        normal of the slices, i and j as in the frames.

    Raises:
        InputError: damaged, several series, no position or spacing, or slices that do not form a rectangular
            grid: uneven, missing, doubled, turned or shifted against each other.
    """
    planes: list[Plane] = []
    series = set()
    for file, dataset in _images(path):
        with _readable(file):
            series.add(dataset.get("SeriesInstanceUID"))
            planes += _planes(dataset, file)
    if len(series) > 1:
        raise InputError(path, f"holds {len(series)} DICOM series", "put each series into its own folder")
    if not planes:
        raise InputError(path, "holds no DICOM image", "give a DICOM image or the folder of a series")
    if len(planes) == 1:
        remedy = "give the folder with all slices of the series, or make a study of 2-D images (--dimension 2)"
        raise InputError(path, "is a single 2-D frame", remedy)
    return stack(planes, path)


def read_image(path: Path) -> tuple[NDArray[np.generic], tuple[float, float] | None]:
    """Read a DICOM file, or a folder of one, that holds a single frame.

    Returns:
        The pixels (I, J, 1) or (I, J, 1, 3 colours), and their spacing along i and j in mm as far as it is told.

    Raises:
        InputError: damaged, or several frames.
    """
    images = list(_images(path))
    if len(images) != 1 or not _is_single_frame(images[0][1]):
        problem = "is no 2-D image but a volume, a film or a series"
        raise InputError(path, problem, "export the frame of interest as a file of its own")
    file, dataset = images[0]
    with _readable(file):
        check_voxel_count((int(dataset.Columns), int(dataset.Rows)), str(file))
        pixels = _pixels(dataset, file)
        colours = pixels.shape[-1:] if dataset.SamplesPerPixel > 1 else ()
        frame = pixels.reshape(dataset.Rows, dataset.Columns, *colours)
        return np.ascontiguousarray(np.swapaxes(frame, 0, 1)[:, :, None]), _told_spacing(dataset, 0)


def is_loose_frame(path: Path) -> bool:
    """Whether a file or folder holds a single frame that is no slice of a series with positions."""
    images = list(_images(path, pixels=False))
    return len(images) == 1 and _is_single_frame(images[0][1]) and not images[0][1].get("ImagePositionPatient")


def _is_single_frame(dataset: Dataset) -> bool:
    return int(dataset.get("NumberOfFrames") or 1) == 1


def read_headers(path: Path) -> list[Header]:
    """The images of a DICOM file or series without their pixels, in no particular order.

    Raises:
        InputError: damaged, or a frame without position; whether they form a volume is not checked.
    """
    headers = []
    for file, dataset in _images(path, pixels=False):
        with _readable(file):
            placements = _placements(dataset, int(dataset.get("NumberOfFrames", 1)), file)
            positions = np.array([position for position, _ in placements], dtype=np.float64)
            headers.append(Header(dataset, positions))
    return headers


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn whatever a damaged file makes pydicom raise into one sentence, and silence its log meanwhile."""
    log = logging.getLogger("pydicom")
    disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except InputError:
        raise
    except _BROKEN_FILE as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        problem = f"is damaged or cut short ({reason})"
        raise InputError(file, problem, "copy or export the file again") from None
    finally:
        log.disabled = disabled


def _images(path: Path, *, pixels: bool = True) -> Iterator[tuple[Path, Dataset]]:
    """The images of a file or folder, without the reports and directories that may lie beside them."""
    for file in sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]:
        if is_dicom(file):
            with _readable(file):
                dataset = pydicom.dcmread(file, stop_before_pixels=not pixels)
                companion = _is_companion(dataset)
            if not companion:
                yield file, dataset


def _is_companion(dataset: Dataset) -> bool:
    """Whether it is a directory, report or the like that lies beside images, not an image cut short."""
    kind = dataset.file_meta.get("MediaStorageSOPClassUID")
    named_image = kind is None or "Image" in kind.name or "Volume" in kind.name
    return "Rows" not in dataset and not named_image


def _planes(dataset: Dataset, file: Path) -> list[Plane]:
    count = int(dataset.get("NumberOfFrames", 1))
    check_voxel_count((int(dataset.Columns), int(dataset.Rows), count), str(file))
    placements = _placements(dataset, count, file)
    pixels = _pixels(dataset, file)
    colours = pixels.shape[-1:] if dataset.SamplesPerPixel > 1 else ()
    frames = pixels.reshape(count, dataset.Rows, dataset.Columns, *colours)
    planes = []
    for frame, (position, orientation) in enumerate(placements):
        context = _group(dataset, frame, "FrameContentSequence")
        time = (context.get("TemporalPositionIndex", 0), dataset.get("InstanceNumber") or 0, frame)
        axes = np.array(orientation, dtype=np.float64).reshape(2, 3)
        spacing = _pixel_spacing(dataset, frame, file)
        planes.append(Plane(frames[frame], np.array(position, dtype=np.float64), axes, spacing, time))
    return planes


def _group(dataset: Dataset, frame: int, name: str) -> Dataset:
    """The functional group of a frame, its own or the one that all share; empty where there is none."""
    for groups, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        if groups in dataset and name in dataset[groups].value[index]:
            return cast(Dataset, dataset[groups].value[index][name].value[0])
    return Dataset()


def _placements(dataset: Dataset, count: int, file: Path) -> list[tuple[Sequence[float], Sequence[float]]]:
    """Image position and image orientation of every frame."""
    for place in ("Patient", "Volume"):
        groups = [
            (
                _group(dataset, frame, _POSITION_GROUP[place]).get(f"ImagePosition{place}"),
                _group(dataset, frame, _ORIENTATION_GROUP[place]).get(f"ImageOrientation{place}"),
            )
            for frame in range(count)
        ]
        if all(position and orientation for position, orientation in groups):
            return groups
    position, orientation = dataset.get("ImagePositionPatient"), dataset.get("ImageOrientationPatient")
    if count == 1:
        if position and orientation:
            return [(position, orientation)]
        problem = "does not say where its slice lies (no Image Position and Orientation)"
        remedy = "export the volume as Enhanced US Volume, NRRD or NIfTI, or study 2-D images alone (--dimension 2)"
        raise InputError(file, problem, remedy)
    step = dataset.get("SpacingBetweenSlices")
    if not step:
        problem = "is a film whose frames have no position in space (no Spacing Between Slices)"
        raise InputError(file, problem, "export the volume as Enhanced US Volume, NRRD or NIfTI")
    first, axes = np.array(position or _NO_POSITION, float), np.array(orientation or _NO_ROTATION, float)
    normal = np.cross(axes[:3], axes[3:])
    return [(list(first + frame * float(step) * normal), list(axes)) for frame in range(count)]


def _pixel_spacing(dataset: Dataset, frame: int, file: Path) -> tuple[float, float]:
    """Spacing along i and j in mm."""
    spacing = _told_spacing(dataset, frame)
    if spacing is None:
        problem = "does not say how large its pixels are (no Pixel Spacing)"
        raise InputError(file, problem, "export it with its calibration")
    return spacing


def _told_spacing(dataset: Dataset, frame: int) -> tuple[float, float] | None:
    """Spacing along i and j in mm: of the functional group, the image, or its one calibrated region; None without."""
    measures = _group(dataset, frame, "PixelMeasuresSequence")
    if spacing := measures.get("PixelSpacing") or dataset.get("PixelSpacing"):
        return float(spacing[1]), float(spacing[0])
    regions = {
        (abs(float(region.PhysicalDeltaX)) * 10, abs(float(region.PhysicalDeltaY)) * 10)
        for region in dataset.get("SequenceOfUltrasoundRegions") or ()
        if region.PhysicalUnitsXDirection == region.PhysicalUnitsYDirection == _CENTIMETRES
    }
    return regions.pop() if len(regions) == 1 else None


def _pixels(dataset: Dataset, file: Path) -> NDArray[np.generic]:
    """The decoded pixels, grey or red, green and blue."""
    if dataset.PhotometricInterpretation not in _GREY_OR_COLOUR:
        problem = f"has pixels of the kind {dataset.PhotometricInterpretation}"
        raise InputError(file, problem, "export it in grey or RGB")
    if not get_decoder(dataset.file_meta.TransferSyntaxUID).is_available:
        # GDCM, inside SimpleITK, decodes lossless JPEG and JPEG-LS, for which pydicom needs more packages.
        return sitk.GetArrayFromImage(sitk.ReadImage(str(file), imageIO="GDCMImageIO"))
    pixels = pixel_array(dataset)
    rescaled = float(dataset.get("RescaleSlope", 1)) != 1 or float(dataset.get("RescaleIntercept", 0)) != 0
    return apply_rescale(pixels, dataset) if rescaled else pixels
