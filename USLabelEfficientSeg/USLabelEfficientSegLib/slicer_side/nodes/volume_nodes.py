"""Slicer's volume nodes and the library's scans, volumes or 2-D images: the same voxels, the same place in the patient.

Slicer keeps positions in RAS millimetres, the library in LPS: the first two coordinates change sign. Both index
voxels [i, j, k]; numpy arrays of Slicer are [k, j, i]. A 2-D image is a node of one slice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ...disk.suffixes import PICTURE_SUFFIXES
from ...errors import InputError
from ...imaging.geometry import Geometry
from ...imaging.memory_order import reordered
from ...imaging.scan import Scan

MrmlNode = Any  # Slicer's classes carry no type information

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0])
_NO_SIZE = (1.0, 1.0)  # mm: what Slicer gives the pixels of a picture, which tells none
_TYPES_OF_FILES = (np.uint8, np.int8, np.uint16, np.int16, np.float32)
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def scanFromNode(volumeNode: MrmlNode) -> Scan:
    """The voxels of a volume node, or of a node of one slice, on its own grid, without the transforms it is under.

    Args:
        volumeNode: vtkMRMLScalarVolumeNode, or vtkMRMLVectorVolumeNode with 3 or 4 colours, which becomes grey.

    Returns:
        A copy, named as the node; types that the library does not store become float32.

    Raises:
        InputError: no voxels, thinner than two along i or j, not finite, constant, or a picture without a pixel size.
    """
    voxels = _voxels(volumeNode)
    _check_pixel_size(volumeNode)
    if voxels.dtype not in _TYPES_OF_FILES:
        with np.errstate(over="ignore"):
            voxels = voxels.astype(np.float32)
    return Scan(voxels, geometryOfNode(volumeNode), volumeNode.GetName())


def isImage(volumeNode: MrmlNode) -> bool:
    """Whether a node holds a 2-D image: one slice along k."""
    image = volumeNode.GetImageData()
    return image is not None and image.GetDimensions()[2] == 1


def geometryOfNode(volumeNode: MrmlNode) -> Geometry:
    """The grid of a volume node in LPS mm, without the transforms it is under.

    Raises:
        InputError: no voxels, or axes that are not orthogonal.
    """
    directions = np.zeros((3, 3))
    volumeNode.GetIJKToRASDirections(directions)
    origin = RAS_FROM_LPS @ np.array(volumeNode.GetOrigin())
    return _named(volumeNode, volumeNode.GetSpacing(), origin, RAS_FROM_LPS @ directions)


def worldGeometry(volumeNode: MrmlNode) -> Geometry:
    """The grid of a volume node in LPS mm where the linear transforms that it is under place it.

    Raises:
        InputError: a transform that bends or shears the grid, or what `geometryOfNode` refuses.
    """
    matrix = ijkToWorld(volumeNode)
    axes = RAS_FROM_LPS @ matrix[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    return _named(volumeNode, spacing, RAS_FROM_LPS @ matrix[:3, 3], axes / spacing)


def ijkToWorld(volumeNode: MrmlNode) -> NDArray[np.float64]:
    """4x4 matrix from voxel indices to RAS mm in the world, under all transforms of the node.

    Raises:
        InputError: a transform that is not linear.
    """
    ijk_to_ras, parent_to_world = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(ijk_to_ras)
    transform = volumeNode.GetParentTransformNode()
    if transform is not None:
        if not transform.IsTransformToWorldLinear():
            problem = f"is under the transform {transform.GetName()}, which bends it"
            raise InputError(volumeNode.GetName(), problem, "harden the transform, or take the volume out of it")
        transform.GetMatrixTransformToWorld(parent_to_world)
    return np.asarray(slicer.util.arrayFromVTKMatrix(parent_to_world) @ slicer.util.arrayFromVTKMatrix(ijk_to_ras))


def nodeFromVoxels(
    name: str, voxels: NDArray[np.generic], geometry: Geometry, referenceNode: MrmlNode | None = None
) -> MrmlNode:
    """Add a scalar volume node to the scene.

    Args:
        name: of the node.
        voxels: (I, J, K) values; they are copied.
        geometry: their grid in LPS mm.
        referenceNode: a volume whose transforms the new node shares and beside which it is placed in the
            subject hierarchy.

    Returns:
        The vtkMRMLScalarVolumeNode, with a display node.
    """
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetSpacing(geometry.spacing)
    node.SetOrigin(RAS_FROM_LPS @ np.array(geometry.origin))
    node.SetIJKToRASDirections(RAS_FROM_LPS @ geometry.direction)
    slicer.util.updateVolumeFromArray(node, reordered(voxels, "F").T)
    node.CreateDefaultDisplayNodes()
    if referenceNode is not None:
        placeBeside(node, referenceNode)
    return node


def placeBeside(node: MrmlNode, referenceNode: MrmlNode) -> None:
    """Give a node the transforms of another and its folder or patient in the subject hierarchy."""
    transform = referenceNode.GetParentTransformNode()
    node.SetAndObserveTransformNodeID(transform.GetID() if transform is not None else None)
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(referenceNode))
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), parent)


def _voxels(volumeNode: MrmlNode) -> NDArray[np.generic]:
    """A copy of the voxels, (I, J, K), colours as grey."""
    _check_has_voxels(volumeNode)
    array = slicer.util.arrayFromVolume(volumeNode)
    if array.ndim == 4:
        if array.shape[3] not in (3, 4):
            raise InputError(volumeNode.GetName(), f"has {array.shape[3]} values a voxel", "give a grey or RGB volume")
        grey = array[..., :3].astype(np.float32) @ _LUMINANCE
        array = np.rint(grey).astype(array.dtype) if array.dtype.kind in "iu" else grey
    voxels = reordered(array.T, "C")
    return voxels.copy() if np.may_share_memory(voxels, array) else voxels


def _check_pixel_size(volumeNode: MrmlNode) -> None:
    """Refuse a picture as Slicer loads it: PNG and the like tell no pixel size, and lengths would mean nothing."""
    storage = volumeNode.GetStorageNode()
    name = "" if storage is None else (storage.GetFileName() or "").lower()
    if isImage(volumeNode) and name.endswith(PICTURE_SUFFIXES) and volumeNode.GetSpacing()[:2] == _NO_SIZE:
        remedy = "set its spacing in the module Volumes, or add its folder with a table of pixel sizes"
        raise InputError(volumeNode.GetName(), "is a picture that does not say how large its pixels are", remedy)


def _check_has_voxels(volumeNode: MrmlNode) -> None:
    if volumeNode.GetImageData() is None or volumeNode.GetImageData().GetPointData().GetScalars() is None:
        raise InputError(volumeNode.GetName(), "holds no voxels", "load the volume again")


def _named(volumeNode: MrmlNode, spacing: Any, origin: NDArray[np.float64], direction: NDArray[np.float64]) -> Geometry:
    """A geometry whose errors name the volume."""
    _check_has_voxels(volumeNode)
    try:
        return Geometry(volumeNode.GetImageData().GetDimensions(), tuple(spacing), tuple(origin), direction)
    except InputError as error:
        raise InputError(volumeNode.GetName(), error.problem, error.remedy) from None
