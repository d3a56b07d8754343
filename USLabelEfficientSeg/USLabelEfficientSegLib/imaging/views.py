"""The three orthogonal views of a volume, laid out as radiologists read them if its axes are anatomical.

Axial and coronal views show the patient's right at the left edge; coronal and sagittal views have superior at
the top, axial ones anterior; sagittal views show anterior at the left edge. Volumes with oblique axes are
shown along their array axes, without letters.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Geometry
from .planes import plane_name

_AXIS_ALIGNED_COSINE = 0.999
# LPS axes: across the view, to the right, vertical; whether the vertical one points up; edge labels.
_ANATOMICAL = ((2, 0, 1, False, "RLAP"), (1, 0, 2, True, "RLSI"), (0, 1, 2, True, "APSI"))


@dataclass(frozen=True)
class View:
    """How slices across one array axis are shown.

    Args:
        plane: what its slices are called, see `imaging.planes`.
        across, horizontal, vertical: array axes: across the slice, along the picture's rows and columns.
        flip_horizontal, flip_vertical: whether the axis runs leftwards or upwards in the picture.
        edges: what lies at the left, right, top and bottom edge; empty for oblique axes.
        pixel_mm: width and height of a pixel.
    """

    plane: str
    across: int
    horizontal: int
    vertical: int
    flip_horizontal: bool
    flip_vertical: bool
    edges: str
    pixel_mm: tuple[float, float]

    def picture(self, voxels: NDArray[Any], index: int) -> NDArray[Any]:
        """Slice `index` of a volume (I, J, K) as a picture (rows, columns), its top left pixel first."""
        plane = np.take(voxels, index, axis=self.across)
        if self.horizontal < self.vertical:  # the rows of a picture are its vertical axis
            plane = plane.T
        rows = slice(None, None, -1 if self.flip_vertical else 1)
        columns = slice(None, None, -1 if self.flip_horizontal else 1)
        return plane[rows, columns]

    def size_mm(self, geometry: Geometry) -> tuple[float, float]:
        """Width and height of the picture in mm."""
        width, height = geometry.shape[self.horizontal], geometry.shape[self.vertical]
        return width * self.pixel_mm[0], height * self.pixel_mm[1]


def views_of(geometry: Geometry) -> tuple[View, ...]:
    """Axial, coronal and sagittal when all axes are within 2.5 degrees of L, P and S, else by array axis."""
    cosines = geometry.direction
    lps_of_axis = np.abs(cosines).argmax(axis=0)
    if np.abs(cosines).max(axis=0).min() < _AXIS_ALIGNED_COSINE:
        return tuple(_array_view(geometry, across) for across in (2, 1, 0))
    axis_of_lps = np.argsort(lps_of_axis)
    views = []
    for across, horizontal, vertical, upwards, edges in _ANATOMICAL:
        i, j, k = (int(axis_of_lps[lps]) for lps in (across, horizontal, vertical))
        flip_horizontal = bool(cosines[horizontal, j] < 0)
        flip_vertical = bool((cosines[vertical, k] > 0) == upwards)
        pixel_mm = geometry.spacing[j], geometry.spacing[k]
        views.append(View(plane_name(cosines, i), i, j, k, flip_horizontal, flip_vertical, edges, pixel_mm))
    return tuple(views)


def _array_view(geometry: Geometry, across: int) -> View:
    horizontal, vertical = (axis for axis in range(3) if axis != across)
    plane = plane_name(geometry.direction, across)
    pixel_mm = geometry.spacing[horizontal], geometry.spacing[vertical]
    return View(plane, across, horizontal, vertical, False, False, "", pixel_mm)
