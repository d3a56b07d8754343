"""The grid of a scan: where its voxels lie in space."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

MAX_VOXELS = 2**31
SAME_WITHIN_VOXELS = 0.05  # headers are rounded, to six digits or three decimals by some writers


@dataclass(frozen=True, eq=False)
class Geometry:
    """The grid of a scan in LPS millimetres, as SimpleITK holds it; the grid of a 2-D image has one voxel along k.

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
    def is_planar(self) -> bool:
        """Whether it is the grid of a 2-D image: one slice."""
        return self.shape[2] == 1

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
        """The largest distance, in voxels of this grid, between the same voxels of two grids of this shape."""
        corners = np.indices((2, 2, 2)).reshape(3, 8).T * (np.array(self.shape) - 1)
        difference = self.physical_to_index(other.index_to_physical(corners)) - corners
        return float(np.abs(difference).max())

    def same_grid(self, other: "Geometry", tolerance_voxels: float = SAME_WITHIN_VOXELS) -> bool:
        """Whether both grids have the same shape and all their voxels agree within the tolerance."""
        return self.shape == other.shape and self.largest_distance(other) <= tolerance_voxels

    def difference(self, other: "Geometry") -> str:
        """How this grid differs from another, as a clause: "has ... voxels, not ..." or "lies up to ... voxels off"."""
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


def check_voxel_count(shape: Sequence[int], name: str) -> None:
    """Refuse an image of more than 2^31 voxels, which programs that count in 32 bits cannot address.

    Raises:
        InputError: too many voxels.
    """
    if prod(shape) > MAX_VOXELS:
        problem = f"has {' x '.join(map(str, shape))} voxels, more than 2^31"
        raise InputError(name, problem, "crop or downsample the image")


def _told_apart(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[str, str]:
    """Two rows of numbers with as many digits as they need to look different."""
    own = others = ""
    for digits in range(4, 18):
        own, others = (f"({', '.join(f'{value:.{digits}g}' for value in values)})" for values in (first, second))
        if own != others:
            break
    return own, others
