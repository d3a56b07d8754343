"""From single planes in space to volumes on a rectangular grid, one a time point."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .geometry import Geometry

_SAME_PLACE_MM = 1e-3
_UNEVEN = 0.01  # of the slice distance
_UNEVEN_BY_ROUNDING = 0.25  # of the slice distance, at most: a missing slice is off by half of it or more
_ASIDE = 0.1  # of the pixel spacing
_TURNED = 1e-4  # of a unit vector


@dataclass
class Plane:
    """One frame: its pixels (J, I) or (J, I, 3) and where they lie, in LPS millimetres."""

    pixels: NDArray[np.generic]
    position: NDArray[np.float64]  # of the centre of the first pixel
    axes: NDArray[np.float64]  # (2, 3) unit vectors along i and j
    spacing: tuple[float, float]  # along i and j
    time: tuple[int, int, int]  # temporal position, instance number, frame: orders planes at the same place
    rounding: float = 0.0  # of each coordinate of the position, in mm at most


def stack(planes: Sequence[Plane], path: Path) -> list[tuple[NDArray[np.generic], Geometry]]:
    """Sort planes along their normal, and by time where several lie at the same place.

    Distances are even if they differ by at most 1 %, or if every plane lies as near to its even place as rounded
    coordinates can tell: with positions of 0.01 mm, slices of 0.333 mm are 0.33 and 0.34 mm apart.

    Args:
        planes: at least one, in any order.
        path: what they were read from, for messages.

    Returns:
        For each time point the voxels (I, J, K) or (I, J, K, 3) and their grid; k runs along the normal.

    Raises:
        InputError: planes that do not form a rectangular grid: uneven, missing, doubled, turned or shifted.
    """
    first = planes[0]
    if any(plane.pixels.shape != first.pixels.shape for plane in planes):
        raise InputError(path, "has slices of different sizes", "put each series into its own folder")
    if not all(np.allclose(plane.spacing, first.spacing, rtol=1e-4) for plane in planes):
        raise InputError(path, "has slices of different spacing", "export it on a rectangular grid")
    if not all(np.allclose(plane.axes, first.axes, atol=_TURNED) for plane in planes):
        raise InputError(path, "has slices turned against each other", "export it on a rectangular grid")
    normal = np.cross(*first.axes)
    positions = np.array([plane.position for plane in planes])
    offset = positions - first.position
    aside = offset - np.outer(offset @ normal, normal)
    if np.abs(aside).max() > _ASIDE * min(first.spacing):
        raise InputError(path, "has slices shifted against each other", "export it on a rectangular grid")

    distance = offset @ normal
    order = np.argsort(distance)
    place = np.empty(len(planes), dtype=int)
    place[order] = np.concatenate([[0], np.cumsum(np.diff(distance[order]) > _SAME_PLACE_MM)])
    times = np.bincount(place)
    if len(times) < 2:
        raise InputError(path, "has all its frames at one place (a film over time)", "give a 3-D volume")
    if times.min() != times.max():
        raise InputError(path, "has several slices at one place", "remove the doubled slices")
    levels = np.bincount(place, weights=distance) / times
    steps = np.diff(levels)
    even = np.abs(steps - np.median(steps)).max() <= _UNEVEN * np.median(steps)
    rounding = max(plane.rounding for plane in planes) * float(np.abs(normal).sum())
    if not even and not _even_before_rounding(levels, rounding):
        problem = f"has slices {steps.min():.4g} to {steps.max():.4g} mm apart, uneven or with some missing"
        raise InputError(path, problem, "export the complete series with even distances")

    by_place = sorted(range(len(planes)), key=lambda index: (place[index], planes[index].time))
    columns, rows = first.pixels.shape[1], first.pixels.shape[0]
    geometry = Geometry(
        (columns, rows, len(times)),
        (*first.spacing, float(levels[-1] - levels[0]) / (len(times) - 1)),
        tuple(planes[by_place[0]].position),
        np.column_stack([*first.axes, normal]),
    )
    volumes = []
    for time in range(times[0]):
        stack = np.stack([planes[index].pixels for index in by_place[time :: times[0]]])
        volumes.append((np.ascontiguousarray(np.swapaxes(stack, 0, 2)), geometry))
    return volumes


def _even_before_rounding(levels: NDArray[np.float64], rounding: float) -> bool:
    """Whether ascending places (K,) are even, each moved by at most `rounding`."""
    step = (levels[-1] - levels[0]) / (len(levels) - 1)
    moved = np.abs(levels - (levels[0] + step * np.arange(len(levels)))).max()
    # The outer two, which define the even places, were moved as well.
    return bool(moved <= min(2 * rounding * 1.01, _UNEVEN_BY_ROUNDING * step))
