"""Closed surfaces of segments for the 3-D view, made by Slicer one after the other: each takes tenths of a second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import slicer
import vtk

from .study_nodes import inScene

MrmlNode = Any

_CLOSED_SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
_BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def makeSurfaces(segmentationNode: MrmlNode) -> Iterator[None]:
    """Steps that give all segments their closed surfaces, as `CreateClosedSurfaceRepresentation` does at once.

    They are added at the end, together: Slicer takes it that what one segment has all others have, too. Segments that
    were changed meanwhile are all converted once more.
    """
    segmentation, logic = segmentationNode.GetSegmentation(), slicer.vtkSlicerSegmentationsModuleLogic
    before, surfaces = _stamps(segmentation), {}
    for segment_id in before:
        if not inScene(segmentationNode) or segmentation.ContainsRepresentation(_CLOSED_SURFACE):
            return
        surface = vtk.vtkPolyData()
        if logic.GetSegmentClosedSurfaceRepresentation(segmentationNode, segment_id, surface, False):
            surfaces[segment_id] = surface
        yield
    if not inScene(segmentationNode) or segmentation.ContainsRepresentation(_CLOSED_SURFACE):
        return
    if _stamps(segmentation) != before or surfaces.keys() != before.keys():
        segmentationNode.CreateClosedSurfaceRepresentation()
        return
    for segment_id, surface in surfaces.items():
        segmentation.GetSegment(segment_id).AddRepresentation(_CLOSED_SURFACE, surface)


def _stamps(segmentation: Any) -> dict[str, int | None]:
    """When each segment was drawn on last."""
    names = segmentation.GetSegmentIDs()
    drawn = {name: segmentation.GetSegment(name).GetRepresentation(_BINARY_LABELMAP) for name in names}
    return {name: None if image is None else image.GetMTime() for name, image in drawn.items()}
