"""What a user has drawn in a volume: whole slices, or strokes, which leave the rest of their slices open."""

from __future__ import annotations

from collections.abc import Sequence

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


def drawn_slices(voxels: NDArray[np.uint8]) -> int:
    """In how many slices somebody has drawn: whole ones of any axis, and the fewest that hold all strokes beside."""
    whole, strokes = _whole_slices(voxels)
    return whole + min(int(np.count_nonzero(strokes.any(axis=_others(axis)))) for axis in range(3))


def drawn_share(voxels: NDArray[np.uint8]) -> float:
    """How many slices were drawn: whole ones, and strokes as the root of the part that they cover of the largest slice.

    Strokes tell most where they are first: rows that cover a quarter of a slice tell nearly as much as all of it.
    """
    whole, strokes = _whole_slices(voxels)
    return float(whole + np.sqrt(np.count_nonzero(strokes) * min(voxels.shape) / voxels.size))


def _whole_slices(voxels: NDArray[np.uint8]) -> tuple[int, NDArray[np.bool_]]:
    """How many slices of all axes were drawn as a whole, and where there is a drawing beside (I, J, K)."""
    drawn = voxels != UNLABELLED
    whole = [drawn.all(axis=_others(axis)) for axis in range(3)]
    for axis, slices in enumerate(whole):
        np.moveaxis(drawn, axis, 0)[slices] = False
    return sum(int(np.count_nonzero(slices)) for slices in whole), drawn


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
