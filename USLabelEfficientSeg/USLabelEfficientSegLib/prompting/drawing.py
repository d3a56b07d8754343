"""What a user has drawn in a volume: whole slices, or strokes, which leave the rest of their slices open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED
from ..errors import InputError
from ..imaging.geometry import Geometry
from ..imaging.resampling import resample_axes
from ..imaging.scan import LabelMap

Field = NDArray[np.float32]


def check_grid(labels: LabelMap, geometry: Geometry, name: str) -> None:
    """Raises `InputError` when labels lie on another grid than their image, the volume of that name."""
    if not labels.geometry.same_grid(geometry):
        problem = f"has another geometry than its image: it {labels.geometry.difference(geometry)}"
        raise InputError(f"label of {name}", problem, "resample the label to the grid of the image")


def check_drawn(labels: LabelMap, organs: Sequence[str], name: str) -> None:
    """Raises `InputError` where everything or nothing of a volume is drawn, or an organ that has no name."""
    counts = np.bincount(labels.voxels.ravel(), minlength=UNLABELLED + 1)
    if counts[UNLABELLED] == labels.voxels.size:
        raise InputError(f"label of {name}", "has nothing drawn (all is 255)", "draw the organs in one slice")
    if counts[UNLABELLED] == 0:
        problem = "is labelled everywhere, and 255 marks nothing as open"
        raise InputError(f"label of {name}", problem, "give 255 to all slices that are to be filled in")
    unknown = np.flatnonzero(counts[len(organs) + 1 : UNLABELLED]) + len(organs) + 1
    if len(unknown):
        problem = f"holds label {unknown[0]}, and the organs are {', '.join(organs)}"
        raise InputError(f"label of {name}", problem, f"draw with labels 0 to {len(organs)}, and 255 elsewhere")


def check_every_organ(labels: LabelMap, organs: Sequence[str], name: str) -> None:
    """Raises `InputError` where an organ is drawn nowhere."""
    counts = np.bincount(labels.voxels.ravel(), minlength=UNLABELLED + 1)
    absent = [organ for label, organ in enumerate(organs, start=1) if not counts[label]]
    if absent:
        problem = f"shows {', '.join(absent)} nowhere"
        raise InputError(f"label of {name}", problem, "draw every organ in a slice, or name only those that are there")


class Told(IntEnum):
    """What a drawing tells of an organ's extent."""

    STROKES = 0  # no whole slice shows it
    ONE_SLICE = 1
    PARALLEL = 2  # slices along one axis: it may end anywhere beyond them
    EXTENT = 3  # along all axes: slices along two, or parallel ones between two that do not show it
    THREE_AXES = 4


@dataclass(frozen=True)
class OpenEnds:
    """Parallel slices that show an organ, which may go on beyond them.

    Attributes:
        axis: along which they lie.
        first, last: indices of the outermost ones.
        below, above: whether no slice tells that the organ has ended there.
        area: of the largest section, in pixels.
    """

    axis: int
    first: int
    last: int
    below: bool
    above: bool
    area: int


@dataclass(frozen=True)
class Drawn:
    """How much of a volume was drawn.

    Attributes:
        slices: how many; strokes as the root of the part that they cover of the largest slice: they tell most where
            they are first, and rows that cover a quarter of a slice tell nearly as much as all of it.
        told: of the extent of each organ.
        ends: of each organ that only parallel slices show; None of others.
    """

    slices: float
    told: tuple[Told, ...]
    ends: tuple[OpenEnds | None, ...]


def drawn_slices(voxels: NDArray[np.uint8]) -> int:
    """In how many slices somebody has drawn: whole ones of any axis, and the fewest that hold all strokes beside."""
    whole, strokes = _whole_slices(voxels)
    count = sum(int(np.count_nonzero(slices)) for slices in whole)
    return count + min(int(np.count_nonzero(strokes.any(axis=_others(axis)))) for axis in range(3))


def whole_slices(voxels: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Axis and index of every slice that somebody has drawn as a whole."""
    whole, _ = _whole_slices(voxels)
    return [(axis, int(index)) for axis, slices in enumerate(whole) for index in np.flatnonzero(slices)]


def how_much(voxels: NDArray[np.uint8], organs: int) -> Drawn:
    """How much was drawn in a volume of so many organs."""
    whole, strokes = _whole_slices(voxels)
    planes = [(np.flatnonzero(along), np.moveaxis(voxels, axis, 0)[along]) for axis, along in enumerate(whole)]
    return drawn_in(planes, float(np.count_nonzero(strokes)) * min(voxels.shape) / voxels.size, organs)


def drawn_in(planes: Sequence[tuple[NDArray[np.intp], NDArray[np.uint8]]], strokes: float, organs: int) -> Drawn:
    """How much was drawn in whole slices and strokes.

    Args:
        planes: for each of the three axes the indices (n,), ascending, and labels (n, ...) of whole slices.
        strokes: the part of the largest slice that strokes cover.
        organs: how many there are.
    """
    sections = [[(of_axis == label).sum(axis=(1, 2)) for _, of_axis in planes] for label in range(1, 1 + organs)]
    ends = tuple(_ends([indices for indices, _ in planes], of_organ) for of_organ in sections)
    told = tuple(map(_told, sections, ends))
    return Drawn(sum(len(indices) for indices, _ in planes) + float(np.sqrt(strokes)), told, ends)


def _ends(indices: Sequence[NDArray[np.intp]], areas: Sequence[NDArray[np.int_]]) -> OpenEnds | None:
    """Of an organ with so many pixels in each whole slice of each axis."""
    axes = [axis for axis, of_axis in enumerate(areas) if of_axis.any()]
    if len(axes) != 1:
        return None
    along, places = areas[axes[0]], indices[axes[0]]
    shown = np.flatnonzero(along)
    first, last = int(shown[0]), int(shown[-1])
    below, above = first == 0, last == len(along) - 1
    return OpenEnds(axes[0], int(places[first]), int(places[last]), below, above, int(along.max()))


def _told(areas: Sequence[NDArray[np.int_]], ends: OpenEnds | None) -> Told:
    if ends is None:
        axes = sum(bool(of_axis.any()) for of_axis in areas)
        return (Told.STROKES, Told.PARALLEL, Told.EXTENT, Told.THREE_AXES)[axes]
    if not (ends.below or ends.above):
        return Told.EXTENT
    return Told.ONE_SLICE if ends.first == ends.last else Told.PARALLEL


def _whole_slices(voxels: NDArray[np.uint8]) -> tuple[list[NDArray[np.bool_]], NDArray[np.bool_]]:
    """Which slices of each axis were drawn as a whole, and where there is a drawing beside (I, J, K)."""
    drawn = voxels != UNLABELLED
    whole = [drawn.all(axis=_others(axis)) for axis in range(3)]
    for axis, slices in enumerate(whole):
        np.moveaxis(drawn, axis, 0)[slices] = False
    return whole, drawn


def signs_of(labels: NDArray[np.uint8], label: int, shape: tuple[int, int, int]) -> Field:
    """1 where an organ was drawn, -1 where something else, 0 where nothing, on a working grid."""
    told = labels != UNLABELLED
    signs = np.where(told, np.where(labels == label, np.float32(1), np.float32(-1)), np.float32(0))
    if labels.shape == shape:
        return signs
    cover = resample_axes(told.astype(np.float32), shape)
    return np.where(cover > 0, resample_axes(signs, shape) / np.maximum(cover, 1e-6), np.float32(0)).astype(np.float32)


def _others(axis: int) -> tuple[int, int]:
    first, second = (a for a in range(3) if a != axis)
    return first, second
