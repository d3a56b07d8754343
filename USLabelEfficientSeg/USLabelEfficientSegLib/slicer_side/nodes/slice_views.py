"""Which slice of a volume a slice view shows, and showing one: exact for oblique and transformed volumes."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _

from ...annotation.sparse_labels import LabelledSlice
from ...errors import InputError
from ...imaging.planes import slice_name
from .layouts import show_layout
from .volume_nodes import ijkToWorld, isImage

MrmlNode = Any

_ASKEW = 1e-3  # of a unit vector: how far a view may be turned against the volume and still show its slice


_FIRST = "Red"  # singleton tag of the view that Slicer's layouts have first, whatever it is called


def labelling_view() -> Any:
    """The slice view in which slices are shown and labelled: of those in the layout Slicer's first, or else any."""
    manager = slicer.app.layoutManager()
    views = [manager.sliceWidget(name) for name in manager.sliceViewNames()]
    shown = [view for view in views if view.mrmlSliceNode().IsMappedInLayout()] or views
    return next((view for view in shown if view.mrmlSliceNode().GetSingletonTag() == _FIRST), shown[0])


def show_labelling_view() -> None:
    """Arrange the views so that a slice view is among them."""
    if not labelling_view().mrmlSliceNode().IsMappedInLayout():
        show_layout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)


def showSlice(sliceNode: MrmlNode, volumeNode: MrmlNode, axis: int, index: int) -> None:
    """Turn a slice view into the plane of the volume's slice `index` of array axis `axis`, the patient upright.

    Args:
        sliceNode: vtkMRMLSliceNode of the view, for example
            `labelling_view().mrmlSliceNode()`.

    Raises:
        InputError: no such slice, or a volume under a transform that bends it.
    """
    check_slice(volumeNode, axis, index)
    matrix = ijkToWorld(volumeNode)
    # Slicer turns a view as little as it can: from plane to plane it might end up lying on its side.
    upright = (sliceNode.SetOrientationToSagittal, sliceNode.SetOrientationToCoronal, sliceNode.SetOrientationToAxial)
    upright[_across(volumeNode, axis).argmax()]()
    sliceNode.RotateToAxes(slicer.util.vtkMatrixFromArray(matrix), axis)
    centre = (np.array(volumeNode.GetImageData().GetDimensions()) - 1) / 2
    centre[axis] = index
    sliceNode.JumpSliceByOffsetting(*(matrix @ [*centre, 1])[:3])


def showScan(volumeNode: MrmlNode) -> None:
    """Show a volume in the slice views, or a 2-D image upright in the view for labelling, as large as it fits."""
    if isImage(volumeNode):
        showSlice(labelling_view().mrmlSliceNode(), volumeNode, 2, 0)
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)


def shownSlice(sliceNode: MrmlNode, volumeNode: MrmlNode) -> tuple[int, int] | None:
    """(axis, index) of the volume's slice that a view shows; None when it cuts the volume askew or misses it."""
    world_to_ijk = np.linalg.inv(ijkToWorld(volumeNode))
    view = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
    in_plane = world_to_ijk[:3, :3] @ view[:3, :2]
    in_plane /= np.linalg.norm(in_plane, axis=0)
    flat = np.flatnonzero(np.abs(in_plane).max(axis=1) < _ASKEW)
    if len(flat) != 1:
        return None
    axis = int(flat[0])
    index = round(float((world_to_ijk @ view[:, 3])[axis]))
    inside = 0 <= index < volumeNode.GetImageData().GetDimensions()[axis]
    return (axis, index) if inside else None


def shown_slices(volumeNode: MrmlNode) -> list[LabelledSlice]:
    """The slices of a volume in all slice views of the layout; none if one of the views cuts it askew."""
    manager = slicer.app.layoutManager()
    nodes = [manager.sliceWidget(name).mrmlSliceNode() for name in manager.sliceViewNames()]
    shown = [shownSlice(node, volumeNode) for node in nodes if node.IsMappedInLayout()]
    return [] if None in shown else [LabelledSlice(*place) for place in shown if place is not None]


def sliceName(volumeNode: MrmlNode, axis: int, index: int) -> str:
    """A slice as everywhere in the library, "coronal, slice 25 of 48"; a volume's transforms count.

    A 2-D image is its own only slice: "whole image".
    """
    if isImage(volumeNode):
        return _("whole image")
    count = volumeNode.GetImageData().GetDimensions()[axis]
    return slice_name(ijkToWorld(volumeNode)[:3, :3], axis, index, count)


def _across(volumeNode: MrmlNode, axis: int) -> NDArray[np.floating]:
    """Cosines, without sign, between the patient's axes and the normal of the slices across an array axis."""
    normal = np.cross(*np.delete(ijkToWorld(volumeNode)[:3, :3], axis, axis=1).T)
    return np.abs(normal) / np.linalg.norm(normal)


def check_slice(volumeNode: MrmlNode, axis: int, index: int) -> None:
    """Raise `InputError` when a volume has no such slice."""
    shape = volumeNode.GetImageData().GetDimensions()
    if axis not in (0, 1, 2) or not 0 <= index < shape[axis]:
        size = " x ".join(str(n) for n in shape)
        problem = f"has no slice of index {index} along axis {axis} (size {size})"
        raise InputError(volumeNode.GetName(), problem, "choose a slice of the volume")
