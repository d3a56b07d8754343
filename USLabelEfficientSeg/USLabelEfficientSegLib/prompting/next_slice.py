"""Which slice of a volume to draw next: the one that leaves the narrowest gaps.

First a middle slice along each axis, for slices across each other tell most; then the middle of the widest gap, in mm,
between two drawn slices of one axis. Between the last drawn slice and the end of the organ the gap counts twice up to
the end, so that ends are drawn before they are passed. Slices where the outline is least sure were tried: mostly those
that only graze the organ, and drawing them helps less (docs/propagation.md).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Slice = tuple[int, int]  # array axis and index
Extents = Sequence[tuple[int, int]]  # first and last index of an organ along each axis


def next_slice(
    organ: NDArray[np.bool_], drawn: Collection[Slice], spacing: tuple[float, float, float], first_axis: int = 2
) -> Slice | None:
    """The slice to draw next.

    Args:
        organ: (I, J, K) as far as it is known.
        drawn: axis and index of the slices that are drawn.
        spacing: voxel size in mm.
        first_axis: where no slice is drawn along several axes, the one to begin with.

    Returns:
        Its axis and index; None where the organ is nowhere, or no two slices of it in a row are open.
    """
    return next_within(_extents(organ), drawn, spacing, first_axis) if organ.any() else None


def next_on_coarse_grid(
    organ: NDArray[np.bool_], drawn: Collection[Slice], shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> Slice | None:
    """The slice of a volume to draw next, where its organ is known on a coarse grid of its extent.

    Args:
        organ: (i, j, k) on that grid.
        drawn: axis and index of the slices that are drawn, in the volume.
        shape: of the volume.
        spacing: its voxel size in mm.

    Returns:
        As `next_slice`, in the volume.
    """
    if not organ.any():
        return None
    scale = [of_volume / of_grid for of_volume, of_grid in zip(shape, organ.shape, strict=True)]
    extents = [
        (int(np.floor(first * one)), min(int(np.ceil((last + 1) * one)), size) - 1)
        for (first, last), one, size in zip(_extents(organ), scale, shape, strict=True)
    ]
    return next_within(extents, drawn, spacing)


def next_within(
    extents: Extents, drawn: Collection[Slice], spacing: tuple[float, float, float], first_axis: int = 2
) -> Slice | None:
    """As `next_slice`, for an organ of which only the extents are known."""
    seen = {axis for axis, _ in drawn}
    for axis in (first_axis, *(other for other in range(3) if other != first_axis)):
        if axis not in seen:
            first, last = extents[axis]
            return axis, (first + last) // 2
    best, widest = None, 0.0
    for axis, (first, last) in enumerate(extents):
        index = np.arange(first, last + 1)
        marks = np.array([number for of, number in drawn if of == axis])
        gap = np.abs(index[:, None] - marks[None]).min(axis=1)
        to_end = 2 * np.minimum(index - first + 1, last + 1 - index)
        room = np.where(gap > 1, np.minimum(gap, to_end), 0) * spacing[axis]
        if room.max() > widest:
            best, widest = (axis, int(index[room.argmax()])), float(room.max())
    return best


def least_certain(intervals: Sequence[tuple[float, float]]) -> int:
    """The place of the interval that is widest beside its middle."""
    return int(np.argmax([(high - low) / max(low + high, 1e-9) for low, high in intervals]))


def _extents(organ: NDArray[np.bool_]) -> list[tuple[int, int]]:
    return [_extent(organ, axis) for axis in range(3)]


def _extent(organ: NDArray[np.bool_], axis: int) -> tuple[int, int]:
    shown = np.flatnonzero(organ.any(axis=tuple(other for other in range(3) if other != axis)))
    return int(shown[0]), int(shown[-1])
