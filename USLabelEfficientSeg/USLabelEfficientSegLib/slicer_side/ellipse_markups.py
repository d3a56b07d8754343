"""The ellipses fitted to organs in a 2-D image, as closed curves (vtkMRMLMarkupsClosedCurveNode) over the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..imaging.geometry import Geometry
from .study_nodes import ELLIPSE, VOLUME, attach, madeFor, volumeOf
from .volume_nodes import placeBeside, worldGeometry

if TYPE_CHECKING:
    from ..measurement.planar import Ellipse, PlanarMeasurement

MrmlNode = Any

POINTS = 60  # of a curve: a spline through them is as long as the ellipse within a millionth
_SEGMENTATION = "USLabelEfficientSeg.Segmentation"  # node reference from a curve to the result that it was fitted to


def showEllipses(segmentationNode: MrmlNode, rows: Sequence[PlanarMeasurement]) -> list[MrmlNode]:
    """Draw the fitted ellipse of every organ that was found, in the colour of its segment.

    The curves of an earlier call for the same segmentation are replaced. They lie exactly in the plane of the image,
    which may be oblique and under transforms, cannot be moved by mistake, and are saved with the scene.

    Args:
        segmentationNode: of a 2-D image that is in the scene.
        rows: what was measured of it, see `imageMeasurements`.

    Returns:
        A curve for each ellipse, named after organ and image.
    """
    volume_node = volumeOf(segmentationNode)
    removeEllipses(segmentationNode)
    geometry = worldGeometry(volume_node)
    return [
        _curve(segmentationNode, volume_node, row.organ, ellipsePositions(row.ellipse, geometry))
        for row in rows
        if row.ellipse is not None
    ]


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


def _curve(segmentationNode: MrmlNode, volumeNode: MrmlNode, organ: str, positions: NDArray[np.float64]) -> MrmlNode:
    name = slicer.mrmlScene.GenerateUniqueName(f"{organ} ellipse, {volumeNode.GetName()}")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", name)
    placeBeside(node, volumeNode)
    attach(node, volumeNode, ELLIPSE)
    node.SetNodeReferenceID(_SEGMENTATION, segmentationNode.GetID())
    slicer.util.updateMarkupsControlPointsFromArray(node, positions, world=True)
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
    display.SetGlyphScale(0.0)
    display.SetVisibility3D(False)
    return node
