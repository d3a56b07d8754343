"""What else fills in an organ from drawn slices: Slicer's own effects and formulas, for `human_time.py`.

*Fill between slices* (ITK's morphological contour interpolation) and *Grow from seeds* (fast GrowCut) are the filters
of Slicer itself, which come with the package `slicer-core`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg
from slicer_core import vtkITK
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

Mask = NDArray[np.bool_]
_ORGAN, _REST = 1, 2
_BETA = 130.0  # of the random walker, as in scikit-image


def filled_between(organ: Mask, drawn: Mask, axis: int) -> Mask:
    """*Fill between slices*: organ (I, J, K) in the slices along an axis that are `drawn` (n,), interpolated."""
    slices = np.zeros(organ.shape, np.uint8)
    np.moveaxis(slices, axis, 0)[drawn] = np.moveaxis(organ, axis, 0)[drawn]
    interpolator = vtkITK.vtkITKMorphologicalContourInterpolator()
    interpolator.SetAxis(axis)
    interpolator.SetInputData(_vtk_image(slices, (1.0, 1.0, 1.0)))
    interpolator.Update()
    return _array(interpolator.GetOutput()) > 0


def grown_from_seeds(image: NDArray[np.float32], organ: Mask, told: Mask, spacing: tuple[float, float, float]) -> Mask:
    """*Grow from seeds* in an image (I, J, K): organ and the rest are known where `told`."""
    growing = slicer.vtkImageGrowCutSegment()
    growing.SetInputData(0, _vtk_image(image.astype(np.float32), spacing))
    growing.SetInputData(1, _vtk_image(_seeds(organ, told), spacing))
    growing.Update()
    return _array(growing.GetOutput()) == _ORGAN


def walked_at_random(image: NDArray[np.float32], organ: Mask, told: Mask) -> Mask:
    """Random walker (Grady, IEEE Trans. Pattern Anal. 2006): the seed that a walker reaches first who avoids edges."""
    grey = (image - image.mean()) / max(float(image.std()), 1e-6)
    numbers = np.arange(grey.size).reshape(grey.shape)
    rows, columns, weights = [], [], []
    for axis in range(3):
        last = grey.shape[axis] - 1
        here = np.delete(numbers, last, axis).ravel()
        there = np.delete(numbers, 0, axis).ravel()
        step = grey.ravel()[here] - grey.ravel()[there]
        weights.append(np.exp(-_BETA * step**2 / 10) + 1e-6)
        rows.append(here)
        columns.append(there)
    row, column, weight = (np.concatenate(parts) for parts in (rows, columns, weights))
    size = grey.size
    edges = sparse.coo_matrix((weight, (row, column)), (size, size))
    edges = (edges + edges.T).tocsr()
    laplacian = sparse.diags(np.asarray(edges.sum(axis=1)).ravel()) - edges
    known = told.ravel()
    free = laplacian[~known]
    wanted = -free[:, known] @ organ.ravel()[known].astype(np.float64)
    matrix = free[:, ~known].tocsr()
    scale = 1 / matrix.diagonal()
    solved, failed = cg(matrix, wanted, rtol=1e-3, maxiter=2000, M=LinearOperator(matrix.shape, lambda x: scale * x))
    if failed:
        raise RuntimeError("the random walker did not converge")
    found = organ.copy()
    found.ravel()[~known] = solved > 0.5
    return found


def _seeds(organ: Mask, told: Mask) -> NDArray[np.int16]:
    return np.where(told, np.where(organ, _ORGAN, _REST), 0).astype(np.int16)


def _vtk_image(voxels: NDArray[Any], spacing: tuple[float, float, float]) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(*voxels.shape)
    image.SetSpacing(*spacing)
    image.GetPointData().SetScalars(numpy_to_vtk(voxels.ravel(order="F"), deep=True))
    return image


def _array(image: vtk.vtkImageData) -> NDArray[Any]:
    return np.asarray(vtk_to_numpy(image.GetPointData().GetScalars())).reshape(image.GetDimensions(), order="F")
