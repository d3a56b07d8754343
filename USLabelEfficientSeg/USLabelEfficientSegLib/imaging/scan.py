"""A scan, voxels and their place in space: a volume or, with one slice, a 2-D image; and its label map."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .geometry import Geometry

AnyScan = TypeVar("AnyScan", "Scan", "LabelMap")
_LARGEST = (1e-15, 1e15)  # magnitude of a scan's grey values: squares of others are no numbers of 32 bits


@dataclass
class Scan:
    """A grey ultrasound scan: a volume, or a 2-D image as one slice, i from left to right and j downwards.

    Args:
        voxels: (I, J, K) intensities, any integer or float type; an image is (I, J, 1).
        geometry: the grid; its shape is the shape of `voxels`. The spacing of an image along k is 1 mm.
        name: what messages and results call the scan.

    Raises:
        InputError: not 3-D, thinner than two voxels along i or j, another shape than the grid, not finite, constant, or
            all values below 1e-15, or some above 1e15.
    """

    voxels: NDArray[np.generic]
    geometry: Geometry
    name: str

    def __post_init__(self) -> None:
        _check_shape(self.voxels, self.geometry, self.name)
        low, high = float(self.voxels.min()), float(self.voxels.max())
        if not np.isfinite([low, high]).all():
            raise InputError(self.name, "holds NaN or infinite values", "export the image again without them")
        largest = max(abs(low), abs(high))
        if not _LARGEST[0] <= largest <= _LARGEST[1] and low != high:
            problem = f"holds grey values of up to {largest:g}, which cannot be reckoned with"
            raise InputError(self.name, problem, "store them in another unit, such as 0 to 255")
        if low == high:
            raise InputError(self.name, f"has the value {low:g} in every voxel", "export the image again")

    @property
    def is_planar(self) -> bool:
        """Whether it is a 2-D image: one slice."""
        return self.geometry.is_planar


@dataclass
class LabelMap:
    """A dense or sparse label of a scan.

    Args:
        voxels: (I, J, K) uint8: 0 background, 1..254 organs, 255 unlabelled.
        geometry: the grid; its shape is the shape of `voxels`.
        name: what messages and results call the label map.
        segments: what the file calls its labels, by label value; empty when it names none.
        mask: whether the file holds 0 and 255 alone, and 255 became the organ 1.

    Raises:
        InputError: not uint8, not 3-D, thinner than two voxels along i or j, or another shape than the grid.
    """

    voxels: NDArray[np.uint8]
    geometry: Geometry
    name: str
    segments: Mapping[int, str] = field(default_factory=dict)
    mask: bool = False

    def __post_init__(self) -> None:
        if self.voxels.dtype != np.uint8:
            raise InputError(self.name, f"is a label map of type {self.voxels.dtype}", "give labels as uint8")
        _check_shape(self.voxels, self.geometry, self.name)

    @property
    def is_planar(self) -> bool:
        """Whether it is the label map of a 2-D image: one slice."""
        return self.geometry.is_planar


def as_volume(scan: AnyScan) -> AnyScan:
    """The scan or label map, where only a volume will do. Raises `InputError` if it has one slice."""
    if scan.is_planar:
        problem = f"is no volume (size {_size(scan.voxels)})"
        raise InputError(scan.name, problem, "give 3-D data, at least 2 voxels on every axis")
    return scan


def _check_shape(voxels: NDArray[np.generic], geometry: Geometry, name: str) -> None:
    if voxels.ndim != 3 or min(voxels.shape[:2]) < 2:
        problem = f"is neither a volume nor a 2-D image (size {_size(voxels)})"
        raise InputError(name, problem, "give one of at least 2 voxels on every axis")
    if voxels.shape != geometry.shape:
        problem = f"has voxels of shape {voxels.shape} on a grid of {geometry.shape}"
        raise InputError(name, problem, "give voxels and geometry of one image")


def _size(voxels: NDArray[np.generic]) -> str:
    return " x ".join(map(str, voxels.shape))
