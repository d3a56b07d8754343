"""Closed surfaces of segments for the 3-D view, made beside Slicer's event loop, one after the other.

Of organs that are small in voxels they are those that Slicer makes itself, point by point. Large ones, whose surfaces
take Slicer seconds, are made from the organ's share in coarser voxels, which places them within a fraction of a voxel.
VTK works on them without Python's lock, so that Slicer goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util import numpy_support

from ..processes.aside import aside
from .oriented_images import voxelsOf
from .study_nodes import inScene

MrmlNode = Any
Steps = Generator[None, None, None]

MOST_VOXELS = 96  # along an axis of an organ, for a surface as Slicer makes it
_CLOSED_SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
_BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
_CONVERSION = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule
_OUTLINED_OTHERWISE = (  # what a user may have chosen, by which Slicer makes them in another way
    _CONVERSION.GetDecimationFactorParameterName(),
    _CONVERSION.GetConversionMethodParameterName(),
    _CONVERSION.GetJointSmoothingParameterName(),
)
_SMOOTHING = _CONVERSION.GetSmoothingFactorParameterName()


def makeSurfaces(segmentationNode: MrmlNode) -> Steps:
    """Steps that give all segments their closed surfaces, as `CreateClosedSurfaceRepresentation` does at once.

    They are added at the end, together: Slicer takes it that what one segment has all others have, too. Where segments
    are changed meanwhile, all are made once more.
    """
    segmentation = segmentationNode.GetSegmentation()
    while _lacks_surfaces(segmentationNode):
        before, surfaces = _stamps(segmentation), {}
        for segment_id in before:
            surface = yield from _surface(segmentationNode, segment_id)
            if surface is not None:
                surfaces[segment_id] = surface
            yield
            if not _lacks_surfaces(segmentationNode):
                return
        if _stamps(segmentation) == before:
            for segment_id, surface in surfaces.items():
                segmentation.GetSegment(segment_id).AddRepresentation(_CLOSED_SURFACE, surface)
            return


def _lacks_surfaces(segmentationNode: MrmlNode) -> bool:
    """Whether a segmentation is there to be given surfaces."""
    if not inScene(segmentationNode):
        return False
    return not segmentationNode.GetSegmentation().ContainsRepresentation(_CLOSED_SURFACE)


def _surface(segmentationNode: MrmlNode, segmentId: str) -> Generator[None, None, Any]:
    """Steps that return the closed surface of a segment; None if it was removed meanwhile."""
    segmentation = segmentationNode.GetSegmentation()
    segment = segmentation.GetSegment(segmentId)
    if segment is None:
        return None
    image, value = segment.GetRepresentation(_BINARY_LABELMAP), segment.GetLabelValue()
    smoothing = _smoothing(segmentation)
    if image is None or smoothing is None:
        surface, logic = vtk.vtkPolyData(), slicer.vtkSlicerSegmentationsModuleLogic
        made = logic.GetSegmentClosedSurfaceRepresentation(segmentationNode, segmentId, surface, False)
        return surface if made else vtk.vtkPolyData()
    if image.GetPointData().GetScalars() is None:
        return vtk.vtkPolyData()
    voxels, extent, matrix = voxelsOf(image), image.GetExtent(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    surface = yield from aside(lambda: _around(voxels == value, extent[::2], matrix, smoothing))
    return surface


def _smoothing(segmentation: Any) -> float | None:
    """How much surfaces are smoothed, from 0 to 1; None if a user wants them made in another way than usual."""
    wanted = [segmentation.GetConversionParameter(name) for name in (*_OUTLINED_OTHERWISE, _SMOOTHING)]
    *otherwise, smoothing = [float(value or 0) for value in wanted]
    return None if any(otherwise) else smoothing


def _around(mask: NDArray[np.bool_], origin: tuple[int, ...], matrix: vtk.vtkMatrix4x4, smoothing: float) -> Any:
    """The smoothed closed surface (vtkPolyData) of an organ.

    Args:
        mask: (i, j, k).
        origin: index of its first voxel.
        matrix: of indices to the surface's coordinates.
        smoothing: from 0 to 1, as Slicer understands it.
    """
    box = _box(mask)
    if box is None:
        return vtk.vtkPolyData()
    first = np.array([side.start for side in box]) + origin
    share, size = _coarse(mask[box])
    return _contour(share, size, first, matrix, smoothing)


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice] | None:
    """Around an organ; None for one without a voxel."""
    shown = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    if not all(map(len, shown)):
        return None
    i, j, k = (slice(int(one[0]), int(one[-1]) + 1) for one in shown)
    return i, j, k


def _coarse(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
    """The share (i, j, k) that an organ has in voxels which are coarser if it is large, and their size in voxels."""
    from ...imaging.resampling import resample_axes

    sizes = np.array(mask.shape)
    if sizes.max() <= MOST_VOXELS:
        return mask.astype(np.float32), np.ones(3)
    i, j, k = (int(n) for n in np.ceil(sizes * MOST_VOXELS / sizes.max()))
    return resample_axes(mask, (i, j, k)), sizes / (i, j, k)


def _contour(
    share: NDArray[np.float32],
    size: NDArray[np.floating],
    first: NDArray[Any],
    matrix: vtk.vtkMatrix4x4,
    smoothing: float,
) -> Any:
    """The surface around which an organ's share is a half.

    Args:
        share: (i, j, k) of voxels.
        size: of these, in the image's voxels.
        first: index of the image's voxel in which they begin.
        matrix: of indices to the surface's coordinates.
        smoothing: from 0 to 1.
    """
    share = np.pad(share, 1)  # a voxel of nothing around the organ closes the surface
    image = vtk.vtkImageData()
    image.SetDimensions(share.shape)
    image.SetSpacing(size)
    image.SetOrigin(first - 0.5 - 0.5 * size)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(share.ravel(order="F"), deep=True))
    last = edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.5)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    if smoothing:
        last = _after(last, _smoother(smoothing))
    placing, placed = vtk.vtkTransform(), vtk.vtkTransformPolyDataFilter()
    placing.SetMatrix(matrix)
    placed.SetTransform(placing)
    last = _after(last, placed)
    if matrix.Determinant() < 0:  # a mirror image has its inside out
        last = _after(last, vtk.vtkReverseSense())
    normals = vtk.vtkPolyDataNormals()
    normals.ConsistencyOff()
    normals.SplittingOff()
    _after(last, normals).Update()  # all at once: meanwhile other threads have Python's lock
    return normals.GetOutput()


def _smoother(smoothing: float) -> Any:
    """Slicer's filter, and its way from a factor of 0 to 1 to iterations and pass band."""
    smoother = vtk.vtkWindowedSincPolyDataFilter()
    smoother.SetNumberOfIterations(int(20 + 40 * smoothing))
    smoother.SetPassBand(10 ** (-4 * smoothing))
    smoother.BoundarySmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    return smoother


def _after(earlier: Any, later: Any) -> Any:
    """The later of two filters, which takes what the earlier one gives."""
    later.SetInputConnection(earlier.GetOutputPort())
    return later


def _stamps(segmentation: Any) -> dict[str, int | None]:
    """When each segment was drawn on last."""
    names = segmentation.GetSegmentIDs()
    drawn = {name: segmentation.GetSegment(name).GetRepresentation(_BINARY_LABELMAP) for name in names}
    return {name: None if image is None else image.GetMTime() for name, image in drawn.items()}
