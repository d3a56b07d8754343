"""Size, place and extent of an organ from its voxels and its surface, in millilitres and millimetres.

All of it is computed in physical space, so that oblique and anisotropic grids and linear transforms need no special
case. The box along the principal axes of inertia is what 3D Slicer's Segment Statistics calls the oriented bounding
box by principal axes (`obb_diameter_mm`), from the surface instead of voxel centres; `max_diameter_mm` is its Feret
diameter (`feret_diameter_mm`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..imaging.geometry import Geometry
from .surface import ClosedSurface, closed_surface

Lengths = tuple[float, float, float]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_DIRECTIONS = 600
_POINTS = 5_000
_MOST_STEPS = 20


@dataclass(frozen=True)
class Shape:
    """What `OrganMeasurement` holds of an organ's shape, under the same names."""

    surface_volume_ml: float
    surface_area_mm2: float
    axes_mm: Lengths
    extents_ras_mm: Lengths
    max_diameter_mm: float
    centroid_ras_mm: Lengths | None

    @property
    def ellipsoid_volume_ml(self) -> float:
        """The clinic's formula pi/6 x length x width x height, of the box along the principal axes."""
        return float(np.pi / 6 * np.prod(self.axes_mm)) / 1000


EMPTY_SHAPE = Shape(0.0, 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0, None)


def measure_shape(
    mask: NDArray[np.bool_], corner: NDArray[np.int64], geometry: Geometry, transform: NDArray[np.float64] | None = None
) -> Shape:
    """Shape of an organ.

    Args:
        mask: (I, J, K) of the organ, cut out of the volume, with at least one voxel.
        corner: (3,) index in the volume of the first voxel of `mask`.
        geometry: of the whole volume.
        transform: (4, 4) linear transform in RAS mm that the volume is seen through, None for none.
    """
    linear, offset = index_to_ras(geometry, transform)
    surface = closed_surface(mask).moved(linear, linear @ corner + offset)
    centre, covariance = _moments(mask)
    principal = np.linalg.eigh(linear @ covariance @ linear.T)[1]
    along_axes = surface.points @ principal
    i, j, k = sorted(np.ptp(along_axes, axis=0).tolist(), reverse=True)
    right, anterior, superior = np.ptp(surface.points, axis=0).tolist()
    x, y, z = (linear @ (centre + corner) + offset).tolist()
    return Shape(
        surface.volume() / 1000,
        surface.area(),
        (i, j, k),
        (right, anterior, superior),
        largest_diameter(surface),
        (x, y, z),
    )


def index_to_ras(
    geometry: Geometry, transform: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix (3, 3) and offset (3,) that take voxel indices to RAS mm, seen through a linear transform."""
    linear = _LPS_TO_RAS @ geometry.direction * geometry.spacing
    offset = _LPS_TO_RAS @ np.array(geometry.origin)
    if transform is not None:
        linear, offset = transform[:3, :3] @ linear, transform[:3, :3] @ offset + transform[:3, 3]
    return linear, offset


def largest_diameter(surface: ClosedSurface) -> float:
    """Largest distance between two points of a surface.

    It is the largest width over all directions. From the widest of 600 directions, each step looks along the line
    between the two outermost points, until these no longer change.
    """
    points = surface.points - surface.points.mean(axis=0)
    directions = _hemisphere(_DIRECTIONS)
    some = points[:: max(1, len(points) // _POINTS)]  # a start near the largest is enough
    direction = directions[int(np.argmax(np.ptp(some @ directions.T, axis=0)))]
    diameter = 0.0
    for _ in range(_MOST_STEPS):
        heights = points @ direction
        line = points[np.argmax(heights)] - points[np.argmin(heights)]
        length = float(np.linalg.norm(line))
        if length <= diameter:
            break
        diameter, direction = length, line / length
    return diameter


def _hemisphere(count: int) -> NDArray[np.float64]:
    """Evenly spread unit vectors (count, 3) of half a sphere: Fibonacci's lattice."""
    height = (np.arange(count) + 0.5) / count
    angle = np.pi * (1 + 5**0.5) * np.arange(count)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def _moments(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre (3,) and covariance (3, 3) of the voxels of a mask, in voxels, from its three projections."""
    positions = [np.arange(n, dtype=np.float64) for n in mask.shape]
    projections = {axis: mask.sum(axis=axis, dtype=np.float64) for axis in range(3)}
    total = projections[0].sum()
    centre, covariance = np.empty(3), np.empty((3, 3))
    for axis in range(3):
        first, second = (other for other in range(3) if other != axis)
        u, v = positions[first], positions[second]
        counts = projections[axis]
        centre[first], centre[second] = counts.sum(axis=1) @ u / total, counts.sum(axis=0) @ v / total
        covariance[first, second] = covariance[second, first] = u @ counts @ v / total
        covariance[first, first] = counts.sum(axis=1) @ u**2 / total
        covariance[second, second] = counts.sum(axis=0) @ v**2 / total
    covariance -= np.outer(centre, centre)
    return centre, covariance + np.eye(3) / 12  # a voxel is a cube, not a point
