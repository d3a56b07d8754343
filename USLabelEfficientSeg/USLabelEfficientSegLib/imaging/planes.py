"""Slices in a clinician's words: "coronal, slice 25 of 48", counted from 1.

The plane is the nearest one of the patient: sagittal slices are stacked from right to left, coronal ones from front
to back, axial ones from feet to head (DICOM PS3.3, C.7.6.2.1.1: the axes L, P and S). A slice halfway between two
planes is named after the array axis that it is across. The directions in a file are believed, as in all viewers: for a
scan stored in the space of its probe, they name the planes of the probe.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..text.slices import slice_words, slices_words

PLANES = ("sagittal", "coronal", "axial")
_AXES = ("axis i", "axis j", "axis k")
_PLAIN = 0.1  # difference of cosines, about 4 degrees from the middle between two planes


def plane_name(direction: ArrayLike, axis: int) -> str:
    """The name of the slices across an array axis: one of `PLANES`, or "axis i", "axis j", "axis k".

    Two axes of a volume never have the same name.

    Args:
        direction: 3x3, its columns point along the array axes in the patient, of any length and sign; LPS or RAS.
        axis: 0, 1 or 2.
    """
    return _plane_name(np.asarray(direction, dtype=np.float64).tobytes(), axis)


@lru_cache(maxsize=64)
def _plane_name(direction: bytes, axis: int) -> str:
    """Tables of labelled slices ask it again and again of the same volumes."""
    normals = _normals(np.frombuffer(direction).reshape(3, 3))
    plane = int(normals[:, axis].argmax())
    rivals = [normals[row, axis] for row in range(3) if row != plane]
    rivals += [normals[plane, column] for column in range(3) if column != axis]
    return PLANES[plane] if normals[plane, axis] - max(rivals) > _PLAIN else _AXES[axis]


def slice_name(direction: ArrayLike, axis: int, index: int, count: int) -> str:
    """A slice in words, for example "coronal, slice 25 of 48" for the index 24.

    Args:
        direction, axis: as in `plane_name`.
        index: of the slice, from 0.
        count: slices along the axis.
    """
    return slice_words(plane_name(direction, axis), index, count)


def slices_name(direction: ArrayLike, axis: int, indices: Sequence[int], count: int) -> str:
    """Several slices across one axis in words, for example "axial, slices 3, 12 of 48"; as `slice_name` for one."""
    return slices_words(plane_name(direction, axis), indices, count)


def _normals(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines (3 patient axes, 3 array axes), without sign, of the normals of the slices across each array axis."""
    normals = np.stack([np.cross(*np.delete(axes, axis, axis=1).T) for axis in range(3)], axis=1)
    return np.asarray(np.abs(normals) / np.linalg.norm(normals, axis=0))
