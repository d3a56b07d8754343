"""Slicer's segmentation nodes and the library's label maps, voxel by voxel.

A segmentation keeps every segment as a mask of its own, so segments may overlap; a label map has one label a
voxel. Organs are recognised by the names of their segments, which the user reads.
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

from ...errors import InputError
from ...imaging.organ_colours import organ_rgb
from .oriented_images import labels_on, slice_image, volume_image
from .terminology import terminology_of
from .volume_nodes import geometryOfNode, placeBeside

MrmlNode = Any

_BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


@dataclass(frozen=True)
class Organ:
    """An organ and the look of its segments.

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
        red, green, blue = organ_rgb(label)
        organs.append(Organ(name, (red / 255, green / 255, blue / 255), terminology_of(name)))
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
    taken = slicer.mrmlScene.GetFirstNodeByName(name) is not None
    unique = slicer.mrmlScene.GenerateUniqueName(name) if taken else name
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", unique)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    placeBeside(node, volumeNode)
    known = labelMap if labelMap.max() <= len(organs) else labelMap * (labelMap <= len(organs))
    setSegments(node, volume_image(volumeNode, known.astype(np.uint8, copy=False)), organs)
    return node


def setSegments(node: MrmlNode, image: Any, organs: Sequence[Organ]) -> None:
    """Give a segmentation node a segment for every organ, in place of those that it has.

    Args:
        node: of the segmentation.
        image: a vtkOrientedImageData that the segments share, with label 1 + n for the n-th organ.
        organs: their looks.
    """
    modified = node.StartModify()
    node.GetSegmentation().RemoveAllSegments()
    for label, organ in enumerate(organs, start=1):
        segment = slicer.vtkSegment()
        segment.SetName(organ.name)
        segment.SetColor(organ.colour)
        if organ.terminology:
            segment.SetTerminology(organ.terminology)
        segment.SetLabelValue(label)
        segment.AddRepresentation(_BINARY_LABELMAP, image)
        node.GetSegmentation().AddSegment(segment)
    node.EndModify(modified)


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
    labels = np.zeros(geometryOfNode(volumeNode).shape, dtype=np.uint8, order="F")  # as the masks lie in memory
    for label, mask in enumerate(masks.values(), start=1):
        labels += mask * np.uint8(label)
    return labels


def organMasks(
    segmentationNode: MrmlNode, volumeNode: MrmlNode, organs: Sequence[Organ]
) -> dict[str, NDArray[np.bool_]]:
    """The mask (I, J, K) of every organ's segment on the grid of a volume; segments that overlap keep every voxel.

    Segments drawn on another grid, or under another transform than the volume, are resampled to the nearest voxel.

    Raises:
        InputError: an organ without a segment or with several.
    """
    geometryOfNode(volumeNode)  # refuses a volume without voxels
    (masks,) = _masks(segmentationNode, volumeNode, organs, [volume_image(volumeNode)])
    return masks


def organSlices(
    segmentationNode: MrmlNode, volumeNode: MrmlNode, organs: Sequence[Organ], slices: Sequence[tuple[int, int]]
) -> list[dict[str, NDArray[np.bool_]]]:
    """Like `organMasks`, but only of some slices: it takes milliseconds, however large the volume is.

    Args:
        slices: array axis of the volume that each is perpendicular to, and its index along that axis.

    Returns:
        For each slice the 2-D mask of every organ, its axes the other two array axes in their order.
    """
    geometryOfNode(volumeNode)  # refuses a volume without voxels
    references = [slice_image(volumeNode, axis, index) for axis, index in slices]
    masks = _masks(segmentationNode, volumeNode, organs, references)
    return [
        {name: mask.squeeze(axis) for name, mask in of_slice.items()}
        for (axis, _), of_slice in zip(slices, masks, strict=True)
    ]


def labelsOfSlice(
    segmentationNode: MrmlNode, volumeNode: MrmlNode, organs: Sequence[Organ], axis: int, index: int
) -> NDArray[np.uint8]:
    """Like `labelMapFromSegmentation`, but only of one slice of the volume; raises the same."""
    (masks,) = organSlices(segmentationNode, volumeNode, organs, [(axis, index)])
    check_disjoint(segmentationNode.GetName(), masks)
    labels = [label * mask.astype(np.uint8) for label, mask in enumerate(masks.values(), start=1)]
    return np.sum(labels, axis=0, dtype=np.uint8)


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
    shape = tuple(int(n) for n in np.delete(geometryOfNode(volumeNode).shape, axis))
    if labels.shape != shape:
        problem = f"has {shape} pixels in the slice of index {index} along axis {axis}, its labels {labels.shape}"
        raise InputError(volumeNode.GetName(), problem, "give one label a pixel")
    (masks,) = organSlices(segmentationNode, volumeNode, organs, [(axis, index)])
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    wrong = {organ.name: masks[organ.name] & (labels != label) for label, organ in enumerate(organs, start=1)}
    missing = {organ.name: ~masks[organ.name] & (labels == label) for label, organ in enumerate(organs, start=1)}
    # Erased first: organs that share a label map must never overlap, or Slicer moves one to a map of its own.
    for organ in organs:
        if wrong[organ.name].any():
            kept = slice_image(volumeNode, axis, index, np.where(wrong[organ.name], 0, 255))
            _change(segmentationNode, volumeNode, organ, kept, logic.MODE_MERGE_MIN)
    for organ in organs:
        if missing[organ.name].any():
            added = slice_image(volumeNode, axis, index, missing[organ.name])
            _change(segmentationNode, volumeNode, organ, added, logic.MODE_MERGE_MASK)


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


def _masks(
    segmentationNode: MrmlNode, volumeNode: MrmlNode, organs: Sequence[Organ], references: Sequence[Any]
) -> list[dict[str, NDArray[np.bool_]]]:
    """For each reference grid the mask of every organ."""
    segments = {organ.name: _segment_id(segmentationNode, organ) for organ in organs}
    images = {name: _label_image(segmentationNode, segment) for name, segment in segments.items()}
    transform = _transform_between(segmentationNode, volumeNode)
    return [
        {name: labels_on(image, reference, transform) == value for name, (image, value) in images.items()}
        for reference in references
    ]


def _label_image(segmentationNode: MrmlNode, segmentId: str) -> tuple[Any, int]:
    """The label map that a segment is part of, and its value there."""
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segmentationNode.GetSegmentation().ContainsRepresentation(_BINARY_LABELMAP):
        return segment.GetRepresentation(_BINARY_LABELMAP), segment.GetLabelValue()
    image = slicer.vtkOrientedImageData()  # drawn as a surface only: converted without changing the node
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.GetSegmentBinaryLabelmapRepresentation(segmentationNode, segmentId, image, False)
    return image, 1


def _change(segmentationNode: MrmlNode, volumeNode: MrmlNode, organ: Organ, change: Any, mode: int) -> None:
    """Merge an image on the volume's grid into an organ's segment."""
    transform = _transform_between(volumeNode, segmentationNode)
    if transform is not None:
        slicer.vtkOrientedImageDataResample.TransformOrientedImage(change, transform)
    logic, segment = slicer.vtkSlicerSegmentationsModuleLogic, _segment_id(segmentationNode, organ)
    # Named here, the other segments may be overwritten; else Slicer first moves them to label maps of their own.
    others = [name for name in segmentationNode.GetSegmentation().GetSegmentIDs() if name != segment]
    if not logic.SetBinaryLabelmapToSegment(change, segmentationNode, segment, mode, change.GetExtent(), False, others):
        raise RuntimeError(f"segment {organ.name} of {segmentationNode.GetName()} could not be changed")


def _transform_between(sourceNode: MrmlNode, targetNode: MrmlNode) -> vtk.vtkAbstractTransform | None:
    """From one node's coordinates to the other's; None when both are under the same transform."""
    source, target = sourceNode.GetParentTransformNode(), targetNode.GetParentTransformNode()
    if source is target:
        return None
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, transform)
    return transform
