"""Which slice of a volume to draw next: the one that leaves the narrowest gaps.

First a middle slice along each axis, for slices across each other tell most; then the middle of the widest gap, in mm,
between two drawn slices of one axis. Between the last drawn slice and the end of the organ the gap counts twice up to
the end, so that ends are drawn before they are passed. Slices where the outline is least sure were tried: mostly those
that only graze the organ, and drawing them helps less (docs/propagation.md).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

Slice = tuple[int, int]  # array axis and index


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
    if not organ.any():
        return None
    seen = {axis for axis, _ in drawn}
    for axis in (first_axis, *(other for other in range(3) if other != first_axis)):
        if axis not in seen:
            first, last = _extent(organ, axis)
            return axis, (first + last) // 2
    best, widest = None, 0.0
    for axis in range(3):
        first, last = _extent(organ, axis)
        index = np.arange(first, last + 1)
        marks = np.array([number for of, number in drawn if of == axis])
        gap = np.abs(index[:, None] - marks[None]).min(axis=1)
        to_end = 2 * np.minimum(index - first + 1, last + 1 - index)
        room = np.where(gap > 1, np.minimum(gap, to_end), 0) * spacing[axis]
        if room.max() > widest:
            best, widest = (axis, int(index[room.argmax()])), float(room.max())
    return best


def _extent(organ: NDArray[np.bool_], axis: int) -> tuple[int, int]:
    shown = np.flatnonzero(organ.any(axis=tuple(other for other in range(3) if other != axis)))
    return int(shown[0]), int(shown[-1])
