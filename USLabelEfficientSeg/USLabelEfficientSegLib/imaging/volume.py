"""A volume is voxels plus their place in space: grey images and label maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

MAX_VOXELS = 2**31
SAME_WITHIN_VOXELS = 0.05  # headers are rounded, to six digits or three decimals by some writers


@dataclass(frozen=True, eq=False)
class Geometry:
    """The grid of a volume in LPS millimetres, as SimpleITK holds it.

    Args:
        shape: number of voxels along the axes i, j, k.
        spacing: distance between voxel centres along i, j, k, in mm.
        origin: LPS position of the centre of voxel (0, 0, 0), in mm.
        direction: 3x3, its columns are the LPS unit vectors of the axes i, j, k; kept as a read-only copy.

    Raises:
        InputError: a size or spacing is not positive, or the axes are not orthogonal unit vectors.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        spacing = tuple(float(s) for s in self.spacing)
        origin = tuple(float(x) for x in self.origin)
        direction = np.array(self.direction, dtype=np.float64)
        if not len(shape) == len(spacing) == len(origin) == 3 or direction.shape != (3, 3):
            raise InputError("image geometry", "is not three-dimensional", "give a 3-D volume")
        if min(shape) < 1:
            raise InputError("image geometry", f"has the size {shape}", "give at least one voxel an axis")
        if not all(np.isfinite(s) and s > 0 for s in spacing):
            raise InputError("image geometry", f"has the spacing {spacing} mm", "give spacings above zero")
        if not (np.isfinite(origin).all() and np.allclose(direction.T @ direction, np.eye(3), atol=1e-3)):
            raise InputError(
                "image geometry",
                "has a position or axes that are not finite, orthogonal and of unit length",
                "resample the volume to a rectangular grid",
            )
        direction.setflags(write=False)
        checked = {"shape": shape, "spacing": spacing, "origin": origin, "direction": direction}
        for attribute, value in checked.items():
            object.__setattr__(self, attribute, value)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    def index_to_physical(self, ijk: ArrayLike) -> NDArray[np.float64]:
        """LPS positions in mm (..., 3) of voxel indices (..., 3), which may be fractional."""
        scaled = np.asarray(ijk, dtype=np.float64) * self.spacing
        return np.asarray(scaled @ self.direction.T + self.origin)

    def physical_to_index(self, lps: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel indices (..., 3) of LPS positions (..., 3) in mm."""
        offset = np.asarray(lps, dtype=np.float64) - self.origin
        return np.asarray(offset @ np.linalg.inv(self.direction).T / self.spacing)

    def largest_distance(self, other: "Geometry") -> float:
        """How many voxels of this grid the same voxel of another grid of this shape is away from its own, at most."""
        corners = np.indices((2, 2, 2)).reshape(3, 8).T * (np.array(self.shape) - 1)
        difference = self.physical_to_index(other.index_to_physical(corners)) - corners
        return float(np.abs(difference).max())

    def same_grid(self, other: "Geometry", tolerance_voxels: float = SAME_WITHIN_VOXELS) -> bool:
        """Whether both grids have the same shape and all their voxels agree within the tolerance."""
        return self.shape == other.shape and self.largest_distance(other) <= tolerance_voxels

    def difference(self, other: "Geometry") -> str:
        """What tells this grid from another, as a clause: "has ... voxels, not ..." or "lies up to ... voxels off"."""
        if self.shape != other.shape:
            own, others = (" x ".join(map(str, grid.shape)) for grid in (self, other))
            return f"has {own} voxels, not {others}"
        parts = ("origin", "spacing", "direction")
        # How far one part alone moves the grid.
        alone = {part: self.largest_distance(replace(self, **{part: getattr(other, part)})) for part in parts}
        part = max(parts, key=alone.__getitem__)
        own, others = _told_apart(np.ravel(getattr(self, part)), np.ravel(getattr(other, part)))
        corners = np.indices((2, 2, 2)).reshape(3, 8).T * (np.array(self.shape) - 1)
        apart = np.linalg.norm(self.index_to_physical(corners) - other.index_to_physical(corners), axis=1).max()
        voxels = self.largest_distance(other)
        return f"lies up to {voxels:.3g} voxels ({apart:.3g} mm) off: its {part} is {own}, not {others}"

    @property
    def axis_codes(self) -> str:
        """The direction in which each voxel index grows, such as "LPS": left, posterior, superior, or their opposites.

        Oblique axes have the nearest directions, each letter pair once.
        """
        order = max(permutations(range(3)), key=lambda axes: sum(abs(self.direction[axes[n], n]) for n in range(3)))
        return "".join("RAI"[axis] if self.direction[axis, n] < 0 else "LPS"[axis] for n, axis in enumerate(order))


def _told_apart(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[str, str]:
    """Two rows of numbers with as many digits as they need to look different."""
    own = others = ""
    for digits in range(4, 18):
        own, others = (f"({', '.join(f'{value:.{digits}g}' for value in values)})" for values in (first, second))
        if own != others:
            break
    return own, others


@dataclass
class UltrasoundVolume:
    """A grey 3-D ultrasound image.

    Args:
        voxels: (I, J, K) intensities, any integer or float type.
        geometry: the grid; its shape is the shape of `voxels`.
        name: what messages and results call the image.

    Raises:
        InputError: not 3-D, thinner than two voxels, another shape than the grid, not finite, or constant.
    """

    voxels: NDArray[np.generic]
    geometry: Geometry
    name: str

    def __post_init__(self) -> None:
        _check_shape(self.voxels, self.geometry, self.name, planar=isinstance(self, UltrasoundImage))
        low, high = float(self.voxels.min()), float(self.voxels.max())
        if not np.isfinite([low, high]).all():
            raise InputError(self.name, "holds NaN or infinite values", "export the image again without them")
        if low == high:
            raise InputError(self.name, f"has the value {low:g} in every voxel", "export the image again")


@dataclass
class UltrasoundImage(UltrasoundVolume):
    """A grey 2-D ultrasound image: one slice (I, J, 1), i from left to right, j downwards; the spacing of k is 1 mm.

    Raises:
        InputError: as for `UltrasoundVolume`, except that the third axis has one voxel.
    """


@dataclass
class LabelMap:
    """A dense or sparse label of a volume.

    Args:
        voxels: (I, J, K) uint8: 0 background, 1..254 organs, 255 unlabelled.
        geometry: the grid; its shape is the shape of `voxels`.
        name: what messages and results call the label map.
        segments: what the file calls its labels, by label value; empty when it names none.
        mask: whether the file holds 0 and 255 alone, and 255 became the organ 1.

    Raises:
        InputError: not uint8, not 3-D, thinner than two voxels, or another shape than the grid.
    """

    voxels: NDArray[np.uint8]
    geometry: Geometry
    name: str
    segments: Mapping[int, str] = field(default_factory=dict)
    mask: bool = False

    def __post_init__(self) -> None:
        if self.voxels.dtype != np.uint8:
            raise InputError(self.name, f"is a label map of type {self.voxels.dtype}", "give labels as uint8")
        _check_shape(self.voxels, self.geometry, self.name, planar=isinstance(self, ImageLabels))


@dataclass
class ImageLabels(LabelMap):
    """The labels (I, J, 1) of an `UltrasoundImage`, as in a `LabelMap`."""


def label_map_of(
    voxels: NDArray[np.uint8], geometry: Geometry, name: str, segments: Mapping[int, str] | None = None
) -> LabelMap:
    """The label map of a volume or, where there is one slice, the labels of a 2-D image; raises as they do."""
    kind = ImageLabels if geometry.shape[2] == 1 else LabelMap
    return kind(voxels, geometry, name, segments or {})


def check_voxel_count(shape: Sequence[int], name: str) -> None:
    """Refuse an image of more than 2^31 voxels, which programs that count in 32 bits cannot address.

    Raises:
        InputError: too many voxels.
    """
    if prod(shape) > MAX_VOXELS:
        problem = f"has {' x '.join(map(str, shape))} voxels, more than 2^31"
        raise InputError(name, problem, "crop or downsample the image")


def _check_shape(voxels: NDArray[np.generic], geometry: Geometry, name: str, *, planar: bool) -> None:
    size = " x ".join(str(n) for n in voxels.shape)
    if planar and (voxels.ndim != 3 or min(voxels.shape[:2]) < 2 or voxels.shape[2] != 1):
        raise InputError(name, f"is no 2-D image (size {size})", "give one image, at least 2 pixels on both axes")
    if not planar and (voxels.ndim != 3 or min(voxels.shape) < 2):
        raise InputError(name, f"is no volume (size {size})", "give 3-D data, at least 2 voxels on every axis")
    if voxels.shape != geometry.shape:
        problem = f"has voxels of shape {voxels.shape} on a grid of {geometry.shape}"
        raise InputError(name, problem, "give voxels and geometry of one image")
