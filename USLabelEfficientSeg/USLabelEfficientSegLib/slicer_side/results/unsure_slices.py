"""Where the model is least sure of an organ: the slice to look at first."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..nodes.segmentation_nodes import Organ, organMasks
from ..nodes.slice_views import labelling_view, showSlice
from ..nodes.study_nodes import UNCERTAINTY, madeFor, volumeOf
from ..nodes.volume_nodes import ijkToWorld

MrmlNode = Any

_MARGIN = 3  # voxels around the organ in which its boundary may be


def least_sure_voxel(uncertainty: NDArray[np.floating], mask: NDArray[np.bool_], axis: int) -> tuple[int, int, int]:
    """A voxel on the slice across `axis` whose uncertainty in the surroundings of an organ sums up to the most.

    Args:
        uncertainty: (I, J, K), from 0 to 1.
        mask: (I, J, K) of the organ; an empty one means that it may be anywhere.
        axis: array axis that the slices are perpendicular to.

    Returns:
        The least sure voxel of that slice.
    """
    box = _surroundings(mask)
    inside = uncertainty[box]
    others = tuple(other for other in range(3) if other != axis)
    number = int(inside.sum(axis=others, dtype=np.float64).argmax())
    of_slice = inside.take(number, axis=axis)
    place = [int(index) for index in np.unravel_index(int(of_slice.argmax()), of_slice.shape)]
    place.insert(axis, number)
    i, j, k = (index + edge.start for index, edge in zip(place, box, strict=True))
    return i, j, k


def middle_voxel(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """The middle of an organ's box, or of the volume where there is no organ."""
    i, j, k = ((edge.start + edge.stop) // 2 for edge in _surroundings(mask))
    return i, j, k


def is_known(segmentationNode: MrmlNode) -> bool:
    """Whether there is an uncertainty map of a result."""
    return bool(madeFor(volumeOf(segmentationNode), UNCERTAINTY))


def least_sure_place(segmentationNode: MrmlNode, organ: str, axis: int) -> tuple[int, int, int]:
    """The voxel of a result to look at first: where the model is least sure of an organ, or the organ's middle.

    Raises:
        InputError: no segment of this name.
    """
    volume_node = volumeOf(segmentationNode)
    mask = organMasks(segmentationNode, volume_node, [Organ(organ, (0.0, 0.0, 0.0))])[organ]
    maps = madeFor(volume_node, UNCERTAINTY)
    return least_sure_voxel(slicer.util.arrayFromVolume(maps[-1]).T, mask, axis) if maps else middle_voxel(mask)


def show_least_sure(segmentationNode: MrmlNode, organ: str, axis: int) -> None:
    """Show the slice in all views where the model is least sure of an organ; without a map the organ's middle.

    Raises:
        InputError: no segment of this name, or a volume under a transform that bends it.
    """
    volume_node, voxel = volumeOf(segmentationNode), least_sure_place(segmentationNode, organ, axis)
    world = (ijkToWorld(volume_node) @ [*voxel, 1.0])[:3]
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        node.JumpSliceByOffsetting(*world)
    showSlice(labelling_view().mrmlSliceNode(), volume_node, axis, voxel[axis])


def _surroundings(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """The box of a mask with a margin, within the volume; the whole volume for an empty mask."""
    edges = []
    for axis, length in enumerate(mask.shape):
        found = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        first, last = (int(found[0]), int(found[-1])) if len(found) else (0, length - 1)
        edges.append(slice(max(0, first - _MARGIN), min(length, last + 1 + _MARGIN)))
    i, j, k = edges
    return i, j, k
