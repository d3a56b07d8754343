"""The images that segments are made of (vtkOrientedImageData): on a volume's grid or on one of its slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util import numpy_support

from ...imaging.geometry import Geometry
from ...imaging.memory_order import reordered
from .volume_nodes import RAS_FROM_LPS

MrmlNode = Any
OrientedImage = Any


def volume_image(volumeNode: MrmlNode, voxels: NDArray[np.uint8] | None = None) -> OrientedImage:
    """An image on the grid of a volume node, of its voxels (I, J, K); without voxels it is a grid only."""
    image, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    image.SetDimensions(volumeNode.GetImageData().GetDimensions())
    if voxels is not None:
        _set_voxels(image, voxels)
    volumeNode.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def grid_image(voxels: NDArray[np.uint8], geometry: Geometry) -> OrientedImage:
    """An image of voxels (I, J, K) on a grid of its own, in LPS mm."""
    image, matrix = slicer.vtkOrientedImageData(), np.eye(4)
    image.SetDimensions(voxels.shape)
    _set_voxels(image, voxels)
    matrix[:3, :3] = RAS_FROM_LPS @ geometry.direction * geometry.spacing
    matrix[:3, 3] = RAS_FROM_LPS @ geometry.origin
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(matrix))
    return image


def slice_image(
    volumeNode: MrmlNode, axis: int, index: int, pixels: NDArray[np.generic] | None = None
) -> OrientedImage:
    """An image on one slice of a volume node's grid, of its pixels (2-D); without pixels it is a grid only."""
    shape = volumeNode.GetImageData().GetDimensions()
    bounds = [(index, index) if a == axis else (0, n - 1) for a, n in enumerate(shape)]
    image = volume_image(volumeNode)
    image.SetExtent([bound for pair in bounds for bound in pair])
    if pixels is not None:
        _set_voxels(image, pixels.astype(np.uint8))
    return image


def labels_on(
    image: OrientedImage, reference: OrientedImage, transform: vtk.vtkAbstractTransform | None
) -> NDArray[np.integer]:
    """The labels (I, J, K) of an image on a reference grid, taken from the nearest voxels; 0 beyond the image.

    Args:
        image: with voxels.
        reference: the grid; its voxels do not matter.
        transform: from the coordinates of the image to those of the reference; None where they are the same.
    """
    tools = slicer.vtkOrientedImageDataResample
    if transform is None and tools.DoGeometriesMatch(image, reference):
        return _cut(image, reference)
    resampled = slicer.vtkOrientedImageData()
    if not tools.ResampleOrientedImageToReferenceOrientedImage(image, reference, resampled, False, False, transform):
        raise RuntimeError("a segment could not be read")
    return voxelsOf(resampled)


def _cut(image: OrientedImage, reference: OrientedImage) -> NDArray[np.integer]:
    """The part of an image that a reference of the same geometry, but another extent, covers."""
    labels = np.zeros(reference.GetDimensions(), dtype=np.int32 if image.GetScalarSize() > 1 else np.uint8, order="F")
    here, there = (np.reshape(one.GetExtent(), (3, 2)) for one in (image, reference))
    first, last = np.maximum(here[:, 0], there[:, 0]), np.minimum(here[:, 1], there[:, 1])
    if (first <= last).all():
        source, target = (
            tuple(slice(a, b) for a, b in zip(first - one[:, 0], last - one[:, 0] + 1, strict=True))
            for one in (here, there)
        )
        labels[target] = voxelsOf(image)[source]
    return labels


def voxelsOf(image: OrientedImage) -> NDArray[np.integer]:
    """A view of an image's voxels (I, J, K)."""
    voxels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return np.asarray(voxels.reshape(image.GetDimensions(), order="F"))


def _set_voxels(image: OrientedImage, voxels: NDArray[np.uint8]) -> None:
    scalars = numpy_support.numpy_to_vtk(reordered(voxels, "F").ravel(order="F"), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
