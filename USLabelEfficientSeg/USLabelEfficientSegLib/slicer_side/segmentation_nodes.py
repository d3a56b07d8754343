"""Slicer's segmentation nodes and the library's label maps, voxel by voxel.

A segmentation keeps every segment as a mask of its own, so segments may overlap; a label map has one label a
voxel. Organs are recognised by the names of their segments: what the user reads is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util import numpy_support

from ..errors import InputError
from ..segmentation.segments import organ_colour
from .terminology import terminology_of
from .volume_nodes import geometryOfNode, placeBeside

MrmlNode = Any

_BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


@dataclass(frozen=True)
class Organ:
    """An organ as its segments show it.

    Args:
        name: of the segment, and of the organ in the study.
        colour: red, green, blue in [0, 1].
        terminology: Slicer's terminology entry, serialised
            (`context~category~type~modifier~region context~region~region modifier`); empty for none.
    """

    name: str
    colour: tuple[float, float, float]
    terminology: str = ""


def organsNamed(names: Sequence[str]) -> list[Organ]:
    """Organs with the library's colours, told apart with every colour vision deficiency, and a terminology entry."""
    organs = []
    for label, name in enumerate(names, start=1):
        red, green, blue = (int(organ_colour(label)[start : start + 2], 16) / 255 for start in (1, 3, 5))
        organs.append(Organ(name, (red, green, blue), terminology_of(name)))
    return organs


def createLabelSegmentation(volumeNode: MrmlNode, organs: Sequence[Organ], name: str | None = None) -> MrmlNode:
    """Add a segmentation node with an empty segment for every organ, on the grid of a volume.

    It is placed beside the volume in the subject hierarchy and under the same transforms; by default it is named
    after the volume with " labels".
    """
    shape = geometryOfNode(volumeNode).shape
    empty = np.zeros(shape, dtype=np.uint8)
    return segmentationFromLabelMap(empty, volumeNode, organs, name or f"{volumeNode.GetName()} labels")


def segmentationFromLabelMap(
    labelMap: NDArray[np.uint8], volumeNode: MrmlNode, organs: Sequence[Organ], name: str
) -> MrmlNode:
    """Add a segmentation node with the organs of a label map; existing segmentations are never touched.

    Args:
        labelMap: (I, J, K) on the grid of the volume, 1 + n the n-th organ; other labels belong to no segment.
        volumeNode: whose grid, transforms and place in the subject hierarchy the segmentation shares.
        organs: every one gets a segment, if need be an empty one.
        name: of the node; made unique if the scene has a node of that name.

    Raises:
        InputError: a label map of another shape than the volume.
    """
    shape = geometryOfNode(volumeNode).shape
    if labelMap.shape != shape:
        problem = f"has {shape} voxels, its label map {labelMap.shape}"
        raise InputError(volumeNode.GetName(), problem, "give a label map of this volume")
    unique = slicer.mrmlScene.GenerateUniqueName(name) if slicer.util.getNodes(name, useLists=True) else name
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", unique)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    placeBeside(node, volumeNode)
    known = np.where((labelMap > 0) & (labelMap <= len(organs)), labelMap, 0)
    shared = _oriented_image(volumeNode, known.astype(np.uint8))
    modified = node.StartModify()
    for label, organ in enumerate(organs, start=1):
        segment = slicer.vtkSegment()
        segment.SetName(organ.name)
        segment.SetColor(organ.colour)
        if organ.terminology:
            segment.SetTerminology(organ.terminology)
        segment.SetLabelValue(label)
        segment.AddRepresentation(_BINARY_LABELMAP, shared)
        node.GetSegmentation().AddSegment(segment)
    node.EndModify(modified)
    return node


def labelMapFromSegmentation(
    segmentationNode: MrmlNode, volumeNode: MrmlNode, organs: Sequence[Organ]
) -> NDArray[np.uint8]:
    """The organs' segments as labels on the grid of a volume; the segmentation is not changed.

    Returns:
        (I, J, K) uint8, 1 + n where the n-th organ is, 0 elsewhere. Other segments are left out.

    Raises:
        InputError: an organ without a segment or with several, or organs that overlap.
    """
    masks = organMasks(segmentationNode, volumeNode, organs)
    check_disjoint(segmentationNode.GetName(), masks)
    labels = np.zeros(geometryOfNode(volumeNode).shape, dtype=np.uint8)
    for label, mask in enumerate(masks.values(), start=1):
        labels[mask] = label
    return labels


def organMasks(
    segmentationNode: MrmlNode, volumeNode: MrmlNode, organs: Sequence[Organ]
) -> dict[str, NDArray[np.bool_]]:
    """The mask (I, J, K) of every organ's segment on the grid of a volume; segments that overlap keep every voxel.

    Segments drawn on another grid, or under another transform than the volume, are resampled to the nearest voxel.

    Raises:
        InputError: an organ without a segment or with several.
    """
    segments = {organ.name: _segment_id(segmentationNode, organ) for organ in organs}
    reference = _oriented_image(volumeNode, None)
    transform = _transform_between(segmentationNode, volumeNode)
    return {name: _mask(segmentationNode, segment, reference, transform) for name, segment in segments.items()}


def setSliceLabels(
    segmentationNode: MrmlNode,
    volumeNode: MrmlNode,
    organs: Sequence[Organ],
    axis: int,
    index: int,
    labels: NDArray[np.integer],
) -> None:
    """Replace what the organs' segments show in one slice; other slices and other segments stay as they are.

    Args:
        axis: array axis of the volume the slice is perpendicular to.
        index: of the slice along that axis.
        labels: 2-D, its axes are the other two array axes in their order; 1 + n the n-th organ.

    Raises:
        InputError: labels of another shape than the slice, or an organ without a segment.
    """
    masks = organMasks(segmentationNode, volumeNode, organs)
    where = tuple(index if a == axis else slice(None) for a in range(3))
    for label, organ in enumerate(organs, start=1):
        mask = masks[organ.name]
        if mask[where].shape != labels.shape:
            problem = f"has {mask[where].shape} pixels in slice {index} of axis {axis}, its labels {labels.shape}"
            raise InputError(volumeNode.GetName(), problem, "give one label a pixel")
        if np.array_equal(mask[where], labels == label):
            continue
        mask[where] = labels == label
        segment = _segment_id(segmentationNode, organ)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.T.astype(np.uint8), segmentationNode, segment, volumeNode)


def check_disjoint(subject: str, masks: dict[str, NDArray[np.bool_]]) -> None:
    """Raise `InputError` when two organs' masks (of one shape, any number of axes) share voxels."""
    for (first, a), (second, b) in combinations(masks.items(), 2):
        shared = int(np.count_nonzero(a & b))
        if shared:
            problem = f"shows {first} and {second} at the same place ({shared} voxels)"
            raise InputError(subject, problem, f"erase {first} or {second} there: a label is one organ")


def _segment_id(segmentationNode: MrmlNode, organ: Organ) -> str:
    segmentation = segmentationNode.GetSegmentation()
    found = [name for name in segmentation.GetSegmentIDs() if segmentation.GetSegment(name).GetName() == organ.name]
    if len(found) != 1:
        problem = f"has {len(found) or 'no'} segment{'s' * (len(found) > 1)} named {organ.name}"
        remedy = f"name one segment {organ.name}"
        raise InputError(segmentationNode.GetName(), problem, remedy)
    return str(found[0])


def _mask(
    segmentationNode: MrmlNode, segmentId: str, reference: Any, transform: vtk.vtkAbstractTransform | None
) -> NDArray[np.bool_]:
    image, resampled = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
    if segmentationNode.GetSegmentation().ContainsRepresentation(_BINARY_LABELMAP):
        segmentationNode.GetBinaryLabelmapRepresentation(segmentId, image)
    else:  # drawn as a surface only: converted without changing the node
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.GetSegmentBinaryLabelmapRepresentation(segmentationNode, segmentId, image, False)
    resample = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
    if not resample(image, reference, resampled, False, False, transform):
        raise RuntimeError(f"segment {segmentId} of {segmentationNode.GetName()} could not be read")
    voxels = numpy_support.vtk_to_numpy(resampled.GetPointData().GetScalars())
    return np.array(voxels.reshape(resampled.GetDimensions(), order="F") != 0)


def _oriented_image(volumeNode: MrmlNode, voxels: NDArray[np.uint8] | None) -> Any:
    """A vtkOrientedImageData on the grid of a volume; without voxels it is a grid only."""
    image, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    image.SetDimensions(geometryOfNode(volumeNode).shape)
    if voxels is not None:
        scalars = numpy_support.numpy_to_vtk(voxels.ravel(order="F"), deep=True)
        scalars.SetName("ImageScalars")
        image.GetPointData().SetScalars(scalars)
    volumeNode.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def _transform_between(segmentationNode: MrmlNode, volumeNode: MrmlNode) -> vtk.vtkAbstractTransform | None:
    """From the segmentation's coordinates to the volume's; None when both are under the same transform."""
    source, target = segmentationNode.GetParentTransformNode(), volumeNode.GetParentTransformNode()
    if source is target:
        return None
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, transform)
    return transform
