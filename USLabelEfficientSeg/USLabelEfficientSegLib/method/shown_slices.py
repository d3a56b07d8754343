"""How many pixels the slices of a study have as 2-D networks will see them, for an estimate before a training.

From the manifest, and from the labels of some volumes at their own resolution: no image is read. Imports nothing heavy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ..annotation.sparse_labels import SparseLabels
from ..imaging.geometry import Geometry
from ..imaging.resampling import working_geometry
from ..slice_network.magnification import WIDTH, organ_width, shown_side
from ..study.coverage import labelled_axes

if TYPE_CHECKING:
    from ..study.study import Study

_MOST_VOLUMES = 20  # whose labels are read


def shown_pixels(study: Study, max_voxels: int) -> dict[int, float]:
    """Pixels of a slice along each labelled axis, as the 2-D networks are to see it.

    Args:
        study: with labelled slices.
        max_voxels: most voxels along any axis of the grid that they see.

    Raises:
        InputError: a file of labels is damaged.
    """
    grids = [_fine_grid(case.image.shape, case.image.spacing, max_voxels) for case in study.cases]
    pixels = {}
    for axis, widths in _widths(study, grids).items():
        sides = _sides(axis)
        extents = [[grid.shape[side] * grid.spacing[side] for side in sides] for grid in grids]
        units = [_unit(grid, axis) for grid in grids]
        largest = max(max(extent) / unit for extent, unit in zip(extents, units, strict=True))
        thinnest = min((median(of_one) for of_one in widths.values() if of_one), default=WIDTH)
        side = shown_side(largest, thinnest, max_voxels)
        pixels[axis] = side**2 * max(min(extent) / max(extent) for extent in extents)
    return pixels


def _widths(study: Study, grids: Sequence[Geometry]) -> dict[int, dict[int, list[float]]]:
    """For each labelled axis the widths of each organ, in units of the grids; labels are read one after the other."""
    found = {axis: defaultdict[int, list[float]](list) for axis in sorted(labelled_axes(study))}
    labelled = [(case, grid) for case, grid in zip(study.cases, grids, strict=True) if case.labels is not None]
    for case, grid in labelled[:: max(1, -(-len(labelled) // _MOST_VOLUMES))]:
        labels = study.read_labels(case.name)
        if labels is None or case.labels is None:
            continue
        for axis, widths in found.items():
            slices = [index for along, index in case.labels.slices if along == axis]
            _add_widths(widths, labels, axis, slices, _unit(grid, axis))
    return dict(found)


def _sides(axis: int) -> list[int]:
    """The axes of slices across an axis."""
    return [side for side in range(3) if side != axis]


def _unit(grid: Geometry, axis: int) -> float:
    """The smaller side in mm of a pixel of slices across an axis."""
    return min(grid.spacing[side] for side in _sides(axis))


def _fine_grid(shape: tuple[int, int, int], spacing: tuple[float, float, float], max_voxels: int) -> Geometry:
    return working_geometry(Geometry(shape, spacing, (0.0, 0.0, 0.0), np.eye(3)), max_voxels)


def _add_widths(
    widths: dict[int, list[float]], labels: SparseLabels, axis: int, slices: Sequence[int], unit: float
) -> None:
    """Widths of each organ on labelled slices, in units of the grid that networks see."""
    sides = [labels.geometry.spacing[side] for side in _sides(axis)]
    for index in slices:
        drawn = labels.voxels.take(index, axis=axis)
        for organ in range(1, len(labels.organs) + 1):
            width = organ_width(drawn == organ, sides)
            if width is not None:
                widths[organ].append(width * min(sides) / unit)
