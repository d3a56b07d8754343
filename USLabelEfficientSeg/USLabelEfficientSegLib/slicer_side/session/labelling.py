"""Which slices of a volume are labelled: a list on the segmentation node, which is saved with the scene.

A slice counts as labelled when the user says so, not when something is painted on it. A slice without any organ can be
labelled, too, and a slice just begun is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...annotation.sparse_labels import UNLABELLED, LabelledSlice, SparseLabels
from ...imaging.geometry import Geometry
from ..nodes.segmentation_nodes import Organ, check_disjoint, organSlices, segmentationFromLabelMap, setSliceLabels
from ..nodes.slice_views import check_slice, sliceName
from ..nodes.volume_nodes import geometryOfNode

MrmlNode = Any

ATTRIBUTE = "USLabelEfficientSeg.LabelledSlices"


class LabelledSlices:
    """The labelled slices of one volume, on the segmentation node that holds its labels.

    The list lives in an attribute of the node: every instance for the same node sees the same list, it is saved
    with the scene, and observers of the node learn of a change by its ModifiedEvent.

    Args:
        segmentationNode: the labels, a segment an organ.
        volumeNode: the volume whose grid the slices are counted on.
    """

    def __init__(self, segmentationNode: MrmlNode, volumeNode: MrmlNode) -> None:
        self.segmentationNode = segmentationNode
        self.volumeNode = volumeNode

    def mark(self, axis: int, index: int) -> None:
        """The slice is labelled completely as it is painted now. Raises `InputError` for no such slice."""
        check_slice(self.volumeNode, axis, index)
        self._store({*self.items(), LabelledSlice(axis, index)})

    def markEmpty(self, axis: int, index: int, organs: Sequence[Organ]) -> None:
        """No organ is visible on the slice: erase what is painted on it, and mark it."""
        check_slice(self.volumeNode, axis, index)
        shape = np.delete(self.volumeNode.GetImageData().GetDimensions(), axis)
        self.setLabels(axis, index, np.zeros(shape, dtype=np.uint8), organs)

    def setLabels(self, axis: int, index: int, labels: NDArray[np.integer], organs: Sequence[Organ]) -> None:
        """Paint a slice and mark it; see `setSliceLabels`."""
        self.paint(axis, index, labels, organs)
        self.mark(axis, index)

    def paint(self, axis: int, index: int, labels: NDArray[np.integer], organs: Sequence[Organ]) -> None:
        """Paint a slice, for example as a result has it, and leave it to the user to mark it; see `setSliceLabels`."""
        check_slice(self.volumeNode, axis, index)
        setSliceLabels(self.segmentationNode, self.volumeNode, organs, axis, index, labels)

    def remove(self, axis: int, index: int) -> None:
        """The slice is no longer labelled; what is painted on it stays for the user to see."""
        self._store(set(self.items()) - {LabelledSlice(axis, index)})

    def items(self) -> list[LabelledSlice]:
        """The labelled slices in order of axis and index."""
        stored = self.segmentationNode.GetAttribute(ATTRIBUTE)
        return [LabelledSlice(axis, index) for axis, index in json.loads(stored or "[]")]

    def fraction(self, axis: int) -> float:
        """Labelled slices of an axis over all its slices."""
        labelled = sum(s.axis == axis for s in self.items())
        return labelled / int(self.volumeNode.GetImageData().GetDimensions()[axis])

    def sparseLabels(self, organs: Sequence[Organ]) -> SparseLabels:
        """What the study stores: the organs in the labelled slices, everything else unlabelled.

        Raises:
            InputError: an organ without a segment, or organs that overlap in a labelled slice.
        """
        geometry, names = geometryOfNode(self.volumeNode), [organ.name for organ in organs]
        return labelsOf(self.sliceLabels(organs), geometry, names)

    def sliceLabels(self, organs: Sequence[Organ]) -> dict[LabelledSlice, NDArray[np.uint8]]:
        """The labels of each labelled slice, 2-D; raises as `sparseLabels`."""
        items = self.items()
        slices = organSlices(self.segmentationNode, self.volumeNode, organs, [(s.axis, s.index) for s in items])
        found = {}
        for s, shown in zip(items, slices, strict=True):
            check_disjoint(f"{self.volumeNode.GetName()}, {sliceName(self.volumeNode, s.axis, s.index)}", shown)
            shape = np.delete(self.volumeNode.GetImageData().GetDimensions(), s.axis)
            found[s] = np.zeros(shape, dtype=np.uint8)
            for label, mask in enumerate(shown.values(), start=1):
                found[s][mask] = label
        return found

    def _store(self, slices: set[LabelledSlice]) -> None:
        text = json.dumps([[s.axis, s.index] for s in sorted(slices)])
        self.segmentationNode.SetAttribute(ATTRIBUTE, text)


def labelsOf(
    slices: Mapping[LabelledSlice, NDArray[np.uint8]], geometry: Geometry, organs: Sequence[str]
) -> SparseLabels:
    """The labels of a volume of which these slices are labelled."""
    # In the order in which files keep voxels: turning a large volume around takes longer than writing it.
    voxels = np.full(geometry.shape, UNLABELLED, dtype=np.uint8, order="F")
    for s, labels in slices.items():
        voxels[tuple(s.index if axis == s.axis else slice(None) for axis in range(3))] = labels
    return SparseLabels(voxels, geometry, tuple(organs))


def withSlice(
    slices: Mapping[LabelledSlice, NDArray[np.uint8]], place: LabelledSlice, labels: NDArray[np.uint8]
) -> dict[LabelledSlice, NDArray[np.uint8]]:
    """The labels of slices of a volume after something was drawn in a slice, labelled or not.

    Args:
        slices: the labelled ones, as they were.
        place: where something was drawn.
        labels: what that slice shows now, also where labelled ones cross it.
    """
    found = {**slices, place: labels} if place in slices else dict(slices)
    for other in slices:
        if other.axis != place.axis:
            found[other] = slices[other].copy()
            found[other][_line(other, place)] = labels[_line(place, other)]
    return found


def _line(on: LabelledSlice, across: LabelledSlice) -> tuple[slice | int, ...]:
    """Where another slice crosses one."""
    return tuple(across.index if axis == across.axis else slice(None) for axis in range(3) if axis != on.axis)


def labellingFromLabels(
    labels: SparseLabels, sliceAxis: int, volumeNode: MrmlNode, organs: Sequence[Organ]
) -> LabelledSlices:
    """A new label segmentation that shows what a study holds for a volume, its slices marked.

    Of a dense label the slices of the study's slice axis are marked.
    """
    painted = labels.voxels * (labels.voxels != UNLABELLED)
    node = segmentationFromLabelMap(painted, volumeNode, organs, f"{volumeNode.GetName()} labels")
    labelling = LabelledSlices(node, volumeNode)
    labelling._store(set(labels.labelled_slices(sliceAxis if labels.is_dense else None)))
    return labelling
