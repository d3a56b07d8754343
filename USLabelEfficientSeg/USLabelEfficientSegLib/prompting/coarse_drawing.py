"""What was drawn in a volume, on a coarse grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED
from ..imaging.resampling import Shape, axis_matrix

_LEAST = 1e-6  # of a coarse voxel: less is a rounding error at its edge


def coarse_signs(voxels: NDArray[np.uint8], labels: Sequence[int], shape: Shape) -> NDArray[np.float32]:
    """(labels, i, j, k) of what was drawn in each coarse voxel: 1 one organ, -1 something else, their mean, 0 nothing.

    Args:
        voxels: (I, J, K) labels: 0 background, n the n-th organ, 255 where nothing was drawn.
        labels: of the organs that are asked for.
        shape: of the coarse grid, nowhere finer than that of the voxels.
    """
    drawn = _shares(voxels != UNLABELLED, shape)
    signs = np.zeros((len(labels), *shape), np.float32)
    for label, of_one in zip(labels, signs, strict=True):
        np.divide(2 * _shares(voxels == label, shape) - drawn, drawn, out=of_one, where=drawn > _LEAST)
    return np.clip(signs, -1, 1, out=signs)


def _shares(mask: NDArray[np.bool_], shape: Shape) -> NDArray[np.float32]:
    """The share of a mask in each coarse voxel, as `resample_axes` has it in three times the time.

    The first axis comes first: there whole slices of bytes are added to each other.
    """
    shares: NDArray[np.generic] = mask
    for axis, size in enumerate(shape):
        shares = _coarser(shares, axis, size)
    return shares.astype(np.float32)


def _coarser(values: NDArray[np.generic], axis: int, size: int) -> NDArray[np.generic]:
    """The means of an axis in so many coarse voxels."""
    fine = values.shape[axis]
    if size == fine:
        return values
    means = np.zeros((*values.shape[:axis], size, *values.shape[axis + 1 :]), np.float32)
    along, means_along = np.moveaxis(values, axis, 0), np.moveaxis(means, axis, 0)
    shown = along.any(axis=(1, 2))
    for weights, mean in zip(axis_matrix(fine, size), means_along, strict=True):
        for index in np.flatnonzero(weights * shown):
            mean += along[index] * weights[index]
    return means
