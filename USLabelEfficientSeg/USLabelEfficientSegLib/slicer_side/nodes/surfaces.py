"""Closed surfaces of segments for the 3-D view, made one after the other, so that Slicer never waits for long.

Of organs that are small in voxels they are Slicer's own. Those of large ones would take Slicer a second and more: they
are made from the organ's share in coarser voxels, which places them within a fraction of a voxel.
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

MOST_VOXELS = 96  # along an axis of an organ, for a surface by Slicer itself
_ITERATIONS, _PASS_BAND = 40, 0.01  # of Slicer's own smoothing, by its usual half
_CLOSED_SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
_BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


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
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segment is None:
        return None
    image, value = segment.GetRepresentation(_BINARY_LABELMAP), segment.GetLabelValue()
    if image is not None and max(image.GetDimensions()) > MOST_VOXELS:
        mask, extent, matrix = voxelsOf(image) == value, image.GetExtent(), vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        coarse = yield from aside(lambda: _coarse(mask))
        if coarse is not None:
            return _contour(*coarse, extent[::2], matrix)
    if not inScene(segmentationNode) or segmentationNode.GetSegmentation().GetSegment(segmentId) is None:
        return None
    surface, logic = vtk.vtkPolyData(), slicer.vtkSlicerSegmentationsModuleLogic
    made = logic.GetSegmentClosedSurfaceRepresentation(segmentationNode, segmentId, surface, False)
    return surface if made else vtk.vtkPolyData()


Coarse = tuple[NDArray[np.float32], NDArray[np.floating], NDArray[np.integer]]


def _coarse(mask: NDArray[np.bool_]) -> Coarse | None:
    """The share (i, j, k) that a large organ has in coarse voxels around it, their size in voxels, and its first voxel.

    None for an organ that is small in voxels.
    """
    from ...imaging.resampling import resample_axes

    sides = []
    for axis in range(3):
        shown = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not len(shown):
            return None
        sides.append(slice(int(shown[0]), int(shown[-1]) + 1))
    sizes = np.array([side.stop - side.start for side in sides])
    if sizes.max() <= MOST_VOXELS:
        return None
    i, j, k = (int(n) for n in np.ceil(sizes * MOST_VOXELS / sizes.max()))
    share = np.pad(resample_axes(mask[sides[0], sides[1], sides[2]], (i, j, k)), 1)
    return share, sizes / (i, j, k), np.array([side.start for side in sides])


def _contour(
    share: NDArray[np.float32], size: NDArray[np.floating], first: NDArray[np.integer], origin: Any, matrix: Any
) -> Any:
    """The smoothed surface around which an organ's share is a half, where a matrix places the image's voxels."""
    image = vtk.vtkImageData()
    image.SetDimensions(share.shape)
    image.SetSpacing(size)
    image.SetOrigin(first + np.array(origin) - 0.5 - 0.5 * size)  # around the organ there is a voxel of nothing
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(share.ravel(order="F"), deep=True))
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.5)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    smooth = vtk.vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(edges.GetOutputPort())
    smooth.SetNumberOfIterations(_ITERATIONS)
    smooth.SetPassBand(_PASS_BAND)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    placing, placed = vtk.vtkTransform(), vtk.vtkTransformPolyDataFilter()
    placing.SetMatrix(matrix)
    placed.SetInputConnection(smooth.GetOutputPort())
    placed.SetTransform(placing)
    last = placed
    if matrix.Determinant() < 0:  # a mirror image has its inside out
        last = vtk.vtkReverseSense()
        last.SetInputConnection(placed.GetOutputPort())
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(last.GetOutputPort())
    normals.ConsistencyOff()
    normals.SplittingOff()
    normals.Update()
    return normals.GetOutput()


def _stamps(segmentation: Any) -> dict[str, int | None]:
    """When each segment was drawn on last."""
    names = segmentation.GetSegmentIDs()
    drawn = {name: segmentation.GetSegment(name).GetRepresentation(_BINARY_LABELMAP) for name in names}
    return {name: None if image is None else image.GetMTime() for name, image in drawn.items()}
