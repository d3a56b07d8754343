"""The ellipses fitted to organs in a 2-D image, as closed curves (vtkMRMLMarkupsClosedCurveNode) over the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ...imaging.geometry import Geometry
from .study_nodes import ELLIPSE, VOLUME, attach, madeFor, volumeOf
from .volume_nodes import placeBeside, worldGeometry

if TYPE_CHECKING:
    from ...measurement.planar import Ellipse, PlanarMeasurement

MrmlNode = Any

POINTS = 60  # of a curve: a spline through them is as long as the ellipse within a millionth
_SAME_MM = 1e-6
_GLYPH_SCALE, _LINE_THICKNESS = 0.6, 0.5  # points as thin as the line, whose thickness is a share of theirs
_ORGAN = "USLabelEfficientSeg.Organ"  # attribute of a curve
_SEGMENTATION = "USLabelEfficientSeg.Segmentation"  # node reference from a curve to the result that it was fitted to


def showEllipses(segmentationNode: MrmlNode, rows: Sequence[PlanarMeasurement]) -> list[MrmlNode]:
    """Draw the fitted ellipse of every organ that was found, in the colour of its segment.

    The curves of an earlier call for the same segmentation are brought up to date. They lie exactly in the plane of the
    image, which may be oblique and under transforms, cannot be moved by mistake, and are saved with the scene.

    Args:
        segmentationNode: of a 2-D image that is in the scene.
        rows: what was measured of it, see `imageMeasurements`.

    Returns:
        A curve for each ellipse, named after organ and image.
    """
    volume_node = volumeOf(segmentationNode)
    geometry = worldGeometry(volume_node)
    known = {node.GetAttribute(_ORGAN): node for node in ellipsesOf(segmentationNode)}
    shown = []
    for row in rows:
        if row.ellipse is not None:
            node = known.pop(row.organ, None) or _new_curve(segmentationNode, volume_node, row.organ)
            _place(node, ellipsePositions(row.ellipse, geometry))
            shown.append(node)
    for node in known.values():
        slicer.mrmlScene.RemoveNode(node)
    return shown


def removeEllipses(segmentationNode: MrmlNode) -> None:
    """Take the curves of a segmentation out of the scene."""
    for node in ellipsesOf(segmentationNode):
        slicer.mrmlScene.RemoveNode(node)


def ellipsesOf(segmentationNode: MrmlNode) -> list[MrmlNode]:
    """The curves that were drawn for a segmentation."""
    of_image = madeFor(segmentationNode.GetNodeReference(VOLUME), ELLIPSE)
    return [node for node in of_image if node.GetNodeReference(_SEGMENTATION) is segmentationNode]


def ellipsePositions(ellipse: Ellipse, geometry: Geometry, count: int = POINTS) -> NDArray[np.float64]:
    """Positions (count, 3) of an ellipse's outline in RAS mm.

    Args:
        ellipse: in mm along the image's axes, from the centre of its first pixel.
        geometry: of the image, in LPS.
    """
    across = ellipse.outline(count) / geometry.spacing[:2]
    indices = np.column_stack([across, np.zeros(count)])
    return np.asarray(geometry.index_to_physical(indices) * (-1.0, -1.0, 1.0))


def _place(curveNode: MrmlNode, positions: NDArray[np.float64]) -> None:
    """Move the points of a curve, if need be."""
    count = curveNode.GetNumberOfControlPoints()
    if count == len(positions):
        now = slicer.util.arrayFromMarkupsControlPoints(curveNode, world=True)
        if np.allclose(now, positions, rtol=0, atol=_SAME_MM):
            return
    slicer.util.updateMarkupsControlPointsFromArray(curveNode, positions, world=True)


def _new_curve(segmentationNode: MrmlNode, volumeNode: MrmlNode, organ: str) -> MrmlNode:
    name = slicer.mrmlScene.GenerateUniqueName(f"{organ} ellipse, {volumeNode.GetName()}")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", name)
    placeBeside(node, volumeNode)
    attach(node, volumeNode, ELLIPSE)
    node.SetNodeReferenceID(_SEGMENTATION, segmentationNode.GetID())
    node.SetAttribute(_ORGAN, organ)
    node.SetLocked(True)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    segmentation = segmentationNode.GetSegmentation()
    segment = segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName(organ))
    colour = segment.GetColor() if segment is not None else (1.0, 1.0, 1.0)
    display.SetColor(colour)
    display.SetSelectedColor(colour)
    display.SetPointLabelsVisibility(False)
    display.SetPropertiesLabelVisibility(False)
    display.SetGlyphScale(_GLYPH_SCALE)
    display.SetLineThickness(_LINE_THICKNESS)
    display.SetFillVisibility(False)
    display.SetVisibility3D(False)
    return node
