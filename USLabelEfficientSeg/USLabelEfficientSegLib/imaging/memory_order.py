"""Large arrays in another order of memory, in a fraction of the time that numpy takes."""

from __future__ import annotations

from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

_SLICES = 16  # that are turned at a time: they fit into the processor's cache
T = TypeVar("T", bound=np.generic)


def reordered(voxels: NDArray[T], order: Literal["C", "F"]) -> NDArray[T]:
    """The same voxels (I, J, K) with the last axis fastest ("C"), or the first one ("F") as VTK and files have them.

    It is no copy where they have that order already.
    """
    if voxels.flags["C_CONTIGUOUS" if order == "C" else "F_CONTIGUOUS"]:
        return voxels
    turned = np.empty(voxels.shape, voxels.dtype, order=order)
    slowest = 0 if order == "F" else -1  # axis in memory as it is now
    parts, turned_parts = np.moveaxis(voxels, slowest, 0), np.moveaxis(turned, slowest, 0)
    for start in range(0, len(parts), _SLICES):
        turned_parts[start : start + _SLICES] = parts[start : start + _SLICES]
    return turned
