"""Label maps that are DICOM segmentations (PS3.3 A.51, C.8.20): frames of bits, of fractions, or of labels.

A segmentation may leave out empty slices, hold its frames in any order, and each segment in frames of its own. It tells
where its frames lie, not how many slices its image has: `on_grid` puts it on the grid of the image.
"""

import warnings
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ...errors import InputError, Notice
from ..geometry import Geometry, check_voxel_count
from .files import open_dataset, readable, segmentations
from .pixels import pixels_of
from .placement import Placement, placements
from .spacing import pixel_spacing
from .values import count_of, frame_count, group, shown, told

FILE_ENDING = "_SEG"  # of the names that `export-dicom` gives to segmentations, before their suffix
_HIGHEST = 254  # 255 stands for unlabelled
_HALF = 0.5
_OFF = 0.1  # of a slice distance, or of the pixel spacing, by which a frame may lie beside its place
_SAME_PLACE_MM = 1e-3
_LARGE, _SPARSE = 1 << 27, 50  # a label map may have so many voxels, or so many times those of its frames

Segmentation = tuple[NDArray[np.uint8], Geometry, dict[int, str]]


def read_segmentation(path: Path, *, planar: bool = False) -> Segmentation:
    """Read a segmentation file, or the one in a folder.

    Args:
        path: the file or folder.
        planar: it belongs to a 2-D image; its frames need no position.

    Returns:
        The label map (I, J, K), its grid from the first to the last slice with a frame (at least two slices, unless it
        is planar), and the names of the segments by label.

    Raises:
        InputError: damaged, several files, segments that overlap, or frames that form no rectangular grid.
    """
    found = segmentations(path)
    if len(found) != 1:
        problem = f"holds {len(found)} DICOM segmentations ({', '.join(file.name for file in found[:3])})"
        raise InputError(path, problem, "put each into its own folder")
    file = found[0]
    dataset = open_dataset(file)
    with readable(file):
        names = _names(dataset, file)
        masks, labels = _masks(dataset, file)
        unknown = sorted({*labels.tolist()} - {0, *names})
        if unknown:
            raise ValueError(f"the segment {unknown[0]} is not described")
        if planar:
            spacing = pixel_spacing(dataset, 0, file)
            shape = (int(dataset.Columns), int(dataset.Rows), 1)
            slices, grid = np.zeros(len(masks), dtype=int), Geometry(shape, (*spacing, 1.0), (0.0, 0.0, 0.0), np.eye(3))
        else:
            slices, grid = _grid(dataset, file)
        _check_extent(grid, masks, file)
        voxels = _stacked(masks, labels, slices, grid, names, file)
        fractions = dataset.get("SegmentationType") == "FRACTIONAL"
    if fractions:
        what = "voxels of at least a half belong to a segment, as it holds fractions"
        warnings.warn(Notice(file, what), stacklevel=2)
    return voxels, grid, names


def _names(dataset: Dataset, file: Path) -> dict[int, str]:
    names = {}
    for segment in told(dataset, "SegmentSequence") or ():
        number = int(segment.SegmentNumber)
        names[number] = str(told(segment, "SegmentLabel") or told(segment, "SegmentDescription") or f"segment {number}")
    if names and max(names) > _HIGHEST:
        problem = f"has a segment {max(names)}, and labels go up to {_HIGHEST}"
        raise InputError(file, problem, "save fewer segments into a file")
    return {number: name for number, name in names.items() if number > 0}


def _masks(dataset: Dataset, file: Path) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    """Frames (F, J, I), and the segment of each; where frames hold labels, one frame for each label in them."""
    pixels = pixels_of(dataset, file, stored=True)
    kind = str(told(dataset, "SegmentationType") or "BINARY")
    if kind == "LABELMAP":
        return pixels, np.unique(pixels).astype(np.intp)
    if kind == "FRACTIONAL":
        full = count_of(dataset, "MaximumFractionalValue", 255)
        pixels = pixels.astype(np.float32) >= _HALF * full
    elif kind == "BINARY":
        pixels = pixels != 0
    else:
        raise ValueError(f"segmentation type {kind}")
    identities = (group(dataset, frame, "SegmentIdentificationSequence") for frame in range(frame_count(dataset)))
    return pixels, np.array([int(identity.ReferencedSegmentNumber) for identity in identities], dtype=np.intp)


def _grid(dataset: Dataset, file: Path) -> tuple[NDArray[np.intp], Geometry]:
    """The slice of each frame, and the grid from the first slice to the last."""
    places = placements(dataset, file)
    spacing = pixel_spacing(dataset, 0, file)
    first = places[0]
    if not all(np.allclose(place.axes, first.axes, atol=1e-4) for place in places):
        raise InputError(file, "has frames turned against each other", "export it on a rectangular grid")
    normal = np.cross(*first.axes)
    offsets = np.array([place.position - first.position for place in places])
    distances = offsets @ normal
    if np.abs(offsets - np.outer(distances, normal)).max() > _OFF * min(spacing):
        raise InputError(file, "has frames shifted against each other", "export it on a rectangular grid")
    step = _step(dataset, distances, file)
    slices = np.rint((distances - distances.min()) / step).astype(np.intp)
    if np.abs(distances - distances.min() - slices * step).max() > _OFF * step:
        raise InputError(file, f"has frames that do not lie {step:.4g} mm apart", "export it with even distances")
    count = max(int(slices.max()) + 1, 2)
    shape = (int(dataset.Columns), int(dataset.Rows), count)
    lowest: Placement = places[int(distances.argmin())]
    origin = tuple(lowest.position.tolist())
    return slices, Geometry(shape, (*spacing, step), origin, np.column_stack([*first.axes, normal]))


def _check_extent(grid: Geometry, masks: NDArray[np.generic], file: Path) -> None:
    """Refuse a few frames so far apart that the empty slices between them would fill the memory."""
    check_voxel_count(grid.shape, str(file))
    voxels = prod(grid.shape)
    if voxels > max(_LARGE, _SPARSE * masks.size):
        problem = f"has {len(masks)} frames in {grid.shape[2]} slices"
        raise InputError(file, problem, "export it again, with the distance of its slices")


def _step(dataset: Dataset, distances: NDArray[np.float64], file: Path) -> float:
    """The distance of slices: as told, else the smallest between frames."""
    levels = np.unique(np.round(distances / _SAME_PLACE_MM)) * _SAME_PLACE_MM
    measures = group(dataset, 0, "PixelMeasuresSequence")
    step = told(measures, "SpacingBetweenSlices") or told(dataset, "SpacingBetweenSlices")
    if not step and len(levels) == 1:
        step = told(measures, "SliceThickness")
    if step:
        return abs(float(step))
    if len(levels) < 2:
        problem = "has one slice and does not say how thick it is"
        raise InputError(file, problem, "export it with its Spacing Between Slices")
    steps = np.diff(levels)
    # Positions are rounded: the mean of the many tells more than the smallest.
    return float((levels[-1] - levels[0]) / np.rint(steps / steps.min()).sum())


def _stacked(
    masks: NDArray[np.generic], labels: NDArray[np.intp], slices: NDArray[np.intp], grid: Geometry,
    names: dict[int, str], file: Path,
) -> NDArray[np.uint8]:  # fmt: skip
    """The label map (I, J, K); two segments in one voxel are refused."""
    stacked = np.zeros(grid.shape[::-1], dtype=np.uint8)
    if masks.dtype != np.bool_:  # labels
        for place, frame in zip(slices, masks, strict=True):
            stacked[place] = frame
    else:
        for place, label, mask in zip(slices, labels, masks, strict=True):
            taken = np.unique(stacked[place][mask & (stacked[place] != label)])
            if taken.any():
                both = f"{shown(names[int(taken[-1])])} and {shown(names[int(label)])}"
                raise InputError(file, f"has segments that overlap ({both})", "give every voxel to one segment")
            stacked[place][mask] = label
    return np.ascontiguousarray(stacked.T)
