"""The order and direction of a volume's axes in the patient, and their exact change to one order and back.

A code such as "LPS" tells for each array axis which side of the patient it runs towards, nearest: left or right,
posterior or anterior, superior or inferior (Definition of coordinate systems, NiBabel's manual).
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .geometry import Geometry
from .scan import AnyScan

Orientation = Literal["as-stored", "anatomical"]
ANATOMICAL = "LPS"  # the axes in which volumes of an anatomical study lie
_SIDES = (("L", "R"), ("P", "A"), ("S", "I"))  # of the LPS axes, forwards and backwards


@dataclass(frozen=True)
class Reordering:
    """Axes permuted and flipped: axis n of the new array is axis `order[n]` of the old, backwards if `flipped[n]`."""

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array (..., I, J, K) in the new order; a view."""
        leading = array.ndim - 3
        ordered = array.transpose(*range(leading), *(leading + axis for axis in self.order))
        return self._flip(ordered)

    def undo(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array (..., I, J, K) in the new order as it was before; a view."""
        leading = array.ndim - 3
        forwards = self._flip(array)
        return forwards.transpose(*range(leading), *(leading + self.order.index(axis) for axis in range(3)))

    def _flip(self, array: NDArray[Any]) -> NDArray[Any]:
        axes = tuple(axis - 3 for axis, flip in enumerate(self.flipped) if flip)
        return np.asarray(np.flip(array, axes)) if axes else array

    def grid(self, geometry: Geometry) -> Geometry:
        """The same grid with its axes in the new order."""
        i, j, k = self.order
        corner = np.zeros(3)
        for axis, flip in zip(self.order, self.flipped, strict=True):
            corner[axis] = (geometry.shape[axis] - 1) * flip
        x, y, z = geometry.index_to_physical(corner).tolist()
        signs = np.where(self.flipped, -1.0, 1.0)
        return Geometry(
            (geometry.shape[i], geometry.shape[j], geometry.shape[k]),
            (geometry.spacing[i], geometry.spacing[j], geometry.spacing[k]),
            (x, y, z),
            geometry.direction[:, list(self.order)] * signs,
        )

    def scan(self, scan: AnyScan) -> AnyScan:
        """A volume or label map with its axes in the new order."""
        voxels = np.ascontiguousarray(self.apply(scan.voxels))
        return replace(scan, voxels=voxels, geometry=self.grid(scan.geometry))


AS_THEY_ARE = Reordering((0, 1, 2), (False, False, False))


def reordering(geometry: Geometry, codes: str = ANATOMICAL) -> Reordering:
    """The change that brings the axes of a grid to the given sides of the patient."""
    own = geometry.axis_codes
    pair_of = {side: number for number, sides in enumerate(_SIDES) for side in sides}
    places = [next(axis for axis in range(3) if pair_of[own[axis]] == pair_of[side]) for side in codes]
    flips = [own[axis] != side for axis, side in zip(places, codes, strict=True)]
    return Reordering((places[0], places[1], places[2]), (flips[0], flips[1], flips[2]))


def oriented(scan: AnyScan, orientation: Orientation) -> AnyScan:
    """A volume or label map as it is stored, or with its axes in the order of the anatomy."""
    return scan if orientation == "as-stored" else reordering(scan.geometry).scan(scan)


def spelt(codes: str) -> str:
    """A code for people: "L-P-S"."""
    return "-".join(codes)
