"""Slices of a volume that are worth labelling: they show enough, and their pixels are not too long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..imaging.resampling import resample_axes
from ..imaging.scan import Scan
from ..imaging.sector import sector_mask

MOST_OBLONG = 3.0  # ratio of the sides of a pixel that can still be labelled on
LEAST_SECTOR = 0.25  # of the largest slice of the volume: what shows less is not worth labelling
_SECTOR_SIDE = 48


def usable_slices(image: Scan, slice_axis: int) -> dict[int, NDArray[np.bool_]]:
    """Which slices (n,) show enough, for `slice_axis` and every axis whose slices have nearly square pixels."""
    return {
        axis: share >= LEAST_SECTOR
        for axis, share in enumerate(sector_shares(image.voxels))
        if axis == slice_axis or _looks_right(image, axis)
    }


def sector_shares(voxels: NDArray[np.generic]) -> list[NDArray[np.floating]]:
    """For each axis of a volume (I, J, K) the image area (n,) of its slices, as a share of the largest."""
    i, j, k = (min(size, _SECTOR_SIDE) for size in voxels.shape)
    sector = sector_mask(resample_axes(voxels, (i, j, k)))
    return [_share(sector, axis, n) for axis, n in enumerate(voxels.shape)]


def _share(sector: NDArray[np.bool_], axis: int, n: int) -> NDArray[np.floating]:
    area = sector.mean(axis=tuple(a for a in range(3) if a != axis))
    places, known = (np.arange(n) + 0.5) / n, (np.arange(len(area)) + 0.5) / len(area)
    return np.asarray(np.interp(places, known, area / area.max()))


def _looks_right(image: Scan, axis: int) -> bool:
    pixel = [step for side, step in enumerate(image.geometry.spacing) if side != axis]
    return max(pixel) <= MOST_OBLONG * min(pixel)
