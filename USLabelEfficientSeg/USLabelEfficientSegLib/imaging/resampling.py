"""Volumes on a coarser or finer grid of the same extent.

Every grid here shares its outer corners with the native grid: voxel *edges* coincide, so the first voxel
centre of a coarser grid lies further inside. Each axis is a small matrix, and a volume is resampled by three
matrix products.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .geometry import Geometry

Shape = tuple[int, int, int]
_AT_ONCE = 1 << 17  # voxels, which fit into the processor's cache
Matrix = Any  # dense or sparse; SciPy's types are unknown to mypy


def working_geometry(geometry: Geometry, max_voxels_per_axis: int) -> Geometry:
    """The grid on which networks work: the extent and corners of `geometry`, at most so many voxels an axis.

    It has the smallest spacing s at which no axis has more than `max_voxels_per_axis` voxels. An axis that is natively
    coarser than s keeps its spacing, so a grid only ever becomes coarser and more isotropic.

    Args:
        geometry: the native grid.
        max_voxels_per_axis: at least 1.

    Raises:
        ValueError: `max_voxels_per_axis` is below 1.
    """
    if max_voxels_per_axis < 1:
        raise ValueError(f"max_voxels_per_axis is {max_voxels_per_axis}, not at least 1")
    native = np.array(geometry.spacing)
    extent = native * geometry.shape
    too_fine = np.array(geometry.shape) > max_voxels_per_axis
    smallest = float((extent / max_voxels_per_axis)[too_fine].max(initial=0.0))
    shape = np.maximum(np.rint(extent / np.maximum(native, smallest)), 1).astype(int)
    spacing = extent / shape
    first_centre = (spacing / native - 1) / 2
    return Geometry(
        (int(shape[0]), int(shape[1]), int(shape[2])),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        tuple(geometry.index_to_physical(first_centre)),
        geometry.direction,
    )


def axis_matrix(n_in: int, n_out: int) -> NDArray[np.float32]:
    """The matrix (n_out, n_in) that resamples one axis; every row sums to 1.

    Coarser: each output voxel is the mean of the input voxels weighted with their exact overlap, which keeps
    the sum of the image. Finer: linear between voxel centres, constant beyond the outermost centres.
    """
    ratio = n_in / n_out
    if n_out < n_in:
        edges = np.arange(n_out + 1)[:, None] * ratio
        voxels = np.arange(n_in)
        overlap = np.minimum(edges[1:], voxels + 1) - np.maximum(edges[:-1], voxels)
        weights = np.clip(overlap, 0, None)
    else:
        position = np.clip((np.arange(n_out) + 0.5) * ratio - 0.5, 0, n_in - 1)
        weights = np.clip(1 - np.abs(position[:, None] - np.arange(n_in)), 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def resample_axes(array: NDArray[np.generic], shape_out: Shape) -> NDArray[np.float32]:
    """Resample the last three axes of (..., I, J, K) to `shape_out`, corner to corner, as float32."""
    shape_in = array.shape[-3:]
    return _apply(array, [_axis_operator(n, m) for n, m in zip(shape_in, shape_out, strict=True)])


def resample_slab(array: NDArray[np.generic], shape_out: Shape, start: int, stop: int) -> NDArray[np.float32]:
    """The part [..., start:stop] of `resample_axes(array, shape_out)`, without computing the rest.

    Args:
        array: (C, I, J, K).
        shape_out: the shape of the whole result.
        start: first index along the last axis.
        stop: one past the last index.

    Returns:
        (C, shape_out[0], shape_out[1], stop - start) float32.
    """
    matrices = [_axis_operator(n, m) for n, m in zip(array.shape[-3:], shape_out, strict=True)]
    return _apply(array, [matrices[0], matrices[1], matrices[2][start:stop]])


def resample_slice(array: NDArray[np.generic], shape_out: Shape, axis: int, index: int) -> NDArray[np.float32]:
    """The slice `index` across one axis of `resample_axes(array, shape_out)`, without computing the rest.

    Args:
        array: (C, I, J, K).
        shape_out: the shape of the whole result.
        axis: 0, 1 or 2.
        index: along that axis.

    Returns:
        (C, the other two axes in their order) float32.
    """
    turned = np.moveaxis(array, axis + 1, -1)
    first, second = (n for other, n in enumerate(shape_out) if other != axis)
    across = axis_matrix(turned.shape[-1], shape_out[axis])[index : index + 1]
    near = np.flatnonzero(across)  # of the slices, the few that it lies between
    along = [_axis_operator(n, m) for n, m in zip(turned.shape[-3:-1], (first, second), strict=True)]
    shrinks = shape_out[axis] < turned.shape[-1]
    row = sparse.csr_array(across[:, near]) if shrinks else across[:, near]
    return _apply(turned[..., near], [*along, row])[..., 0]


def _axis_operator(n_in: int, n_out: int) -> Matrix:
    """`axis_matrix`, sparse where it shrinks: faster, and the same bits however many threads multiply matrices."""
    matrix = axis_matrix(n_in, n_out)
    return sparse.csr_array(matrix) if n_out < n_in else matrix


def _apply(array: NDArray[np.generic], matrices: list[Matrix]) -> NDArray[np.float32]:
    """Multiply each of the last three axes by its matrix; only some slices at a time are copied as float."""
    n_i, (m_i, m_j, m_k) = array.shape[-3], (matrix.shape[0] for matrix in matrices)
    along_i, along_j, along_k = matrices
    volumes = array.reshape(-1, *array.shape[-3:])
    result = np.empty((len(volumes), m_i, m_j * m_k), dtype=np.float32)
    together = max(1, _AT_ONCE // max(array.shape[-2] * array.shape[-1], 1))
    for volume, out in zip(volumes, result, strict=True):
        planes = np.empty((n_i, m_j, m_k), dtype=np.float32)
        for start in range(0, n_i, together):
            part = volume[start : start + together].astype(np.float32)
            planes[start : start + together] = _along_k(along_k, _along_j(along_j, part))
        if isinstance(along_i, np.ndarray):
            np.matmul(along_i, planes.reshape(n_i, -1), out=out)
        else:
            out[:] = along_i @ planes.reshape(n_i, -1)
    return result.reshape(*array.shape[:-3], m_i, m_j, m_k)


def _along_j(matrix: Matrix, planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Planes (I, J, K) with the middle axis multiplied."""
    if isinstance(matrix, np.ndarray):
        return np.matmul(matrix, planes)
    count, n_j, n_k = planes.shape
    product = matrix @ planes.transpose(1, 0, 2).reshape(n_j, -1)
    return np.ascontiguousarray(product.reshape(-1, count, n_k).transpose(1, 0, 2))


def _along_k(matrix: Matrix, planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Planes (I, J, K) with the last axis multiplied."""
    if isinstance(matrix, np.ndarray):
        return np.matmul(planes, matrix.T)
    count, n_j, n_k = planes.shape
    product: NDArray[np.float32] = matrix @ planes.transpose(2, 0, 1).reshape(n_k, -1)
    return product.reshape(-1, count, n_j).transpose(1, 2, 0)
