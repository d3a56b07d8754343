"""What was drawn in a volume, on a coarse grid: from labels of all its voxels, or sooner from its labelled slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED, LabelledSlice
from ..imaging.resampling import Shape, axis_matrix
from .drawing import Drawn, drawn_in, how_much

_LEAST = 1e-6  # of a coarse voxel: less is a rounding error at its edge


@dataclass(frozen=True)
class CoarseDrawing:
    """A drawing on a coarse grid.

    Attributes:
        signs: (organs, i, j, k) of what was drawn in each coarse voxel: 1 an organ, -1 something else, their mean, 0
            nothing.
        shown: the labels of the organs that are drawn anywhere.
        drawn: how much of the volume.
        slices: axis and index of those in which something was drawn, as far as it was drawn in slices.
    """

    signs: NDArray[np.float32]
    shown: tuple[int, ...]
    drawn: Drawn
    slices: tuple[tuple[int, int], ...] = ()


def coarse_drawing(voxels: NDArray[np.uint8], organs: int, shape: Shape) -> CoarseDrawing:
    """What was drawn in a volume.

    Args:
        voxels: (I, J, K) labels: 0 background, n the n-th organ, 255 where nothing was drawn.
        organs: how many there are.
        shape: of the coarse grid, nowhere finer than that of the voxels.
    """
    shares = np.stack([_coarse(mask, shape) for mask in _masks(voxels, organs)])
    return CoarseDrawing(_signs(shares), _shown(shares), how_much(voxels, organs))


def drawing_of_slices(
    slices: Mapping[LabelledSlice, NDArray[np.uint8]], organs: int, fine: Shape, shape: Shape
) -> CoarseDrawing:
    """The same of single slices, which takes a fraction of the time.

    Args:
        slices: labels of each, 2-D, its axes the other two array axes; 255 where nothing was drawn in it. Where slices
            cross, what was drawn in those of later axes counts.
        organs: how many there are.
        fine: shape of the volume.
        shape: of the coarse grid.
    """
    shares = np.zeros((1 + organs, *shape), np.float32)
    for axis in range(3):
        of_axis = {one.index: labels for one, labels in slices.items() if one.axis == axis}
        if not of_axis:
            continue
        indices = sorted(of_axis)
        planes = np.stack([of_axis[index] for index in indices])
        for later, labels in slices.items():
            if later.axis > axis:
                crossing = np.moveaxis(labels, axis, 0)[indices]
                np.moveaxis(planes, later.axis, 1)[:, later.index][crossing != UNLABELLED] = UNLABELLED
        weights = axis_matrix(fine[axis], shape[axis])[:, indices]
        near = np.flatnonzero(weights.any(axis=1))  # coarse slices that are reached
        rest = (shape[0], shape[1], shape[2])[:axis] + shape[axis + 1 :]
        for mask, share in zip(_masks(planes, organs), shares, strict=True):
            coarse: NDArray[np.generic] = _weighted(mask, weights[near])
            for way, size in enumerate(rest, start=1):
                coarse = _coarser(coarse, way, size)
            np.moveaxis(share, axis, 0)[near] += np.asarray(coarse, np.float32)
    places = tuple((one.axis, one.index) for one in slices)
    return CoarseDrawing(_signs(shares), _shown(shares), _drawn(slices, organs, fine), places)


def _drawn(slices: Mapping[LabelledSlice, NDArray[np.uint8]], organs: int, fine: Shape) -> Drawn:
    """How much was drawn; strokes of slices that cross count in each."""
    whole = {one: labels for one, labels in slices.items() if (labels != UNLABELLED).all()}
    planes, strokes = [], 0
    for axis in range(3):
        of_axis = {one.index: labels for one, labels in whole.items() if one.axis == axis}
        indices = sorted(of_axis)
        stacked = np.stack([of_axis[index] for index in indices]) if indices else np.zeros((0, 1, 1), np.uint8)
        planes.append((np.array(indices, np.intp), stacked))
    for one in slices.keys() - whole.keys():
        drawn = slices[one] != UNLABELLED
        for crossing in whole:
            if crossing.axis != one.axis:
                np.moveaxis(drawn, crossing.axis - (crossing.axis > one.axis), 0)[crossing.index] = False
        strokes += int(np.count_nonzero(drawn))
    return drawn_in(planes, strokes * min(fine) / float(np.prod(fine)), organs)


def _masks(labels: NDArray[np.uint8], organs: int) -> list[NDArray[np.bool_]]:
    """Where anything was drawn, and where each organ."""
    return [labels != UNLABELLED, *(labels == label for label in range(1, 1 + organs))]


def _signs(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the shares (1 + organs, i, j, k) that all of the drawing, and each organ, has in coarse voxels."""
    drawn, signs = shares[0], np.zeros_like(shares[1:])
    for share, of_one in zip(shares[1:], signs, strict=True):
        np.divide(2 * share - drawn, drawn, out=of_one, where=drawn > _LEAST)
    return np.clip(signs, -1, 1, out=signs)


def _shown(shares: NDArray[np.float32]) -> tuple[int, ...]:
    return tuple(label for label, share in enumerate(shares[1:], start=1) if share.any())


def _coarse(mask: NDArray[np.bool_], shape: Shape) -> NDArray[np.float32]:
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
    means = _weighted(np.moveaxis(values, axis, 0), axis_matrix(fine, size))
    return np.moveaxis(means, 0, axis)


def _weighted(along: NDArray[np.generic], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """A matrix (m, n) times the first axis of (n, J, K)."""
    means = np.zeros((len(matrix), *along.shape[1:]), np.float32)
    shown = along.any(axis=(1, 2))
    for weights, mean in zip(matrix, means, strict=True):
        for index in np.flatnonzero(weights * shown):
            mean += along[index] * weights[index]
    return means
