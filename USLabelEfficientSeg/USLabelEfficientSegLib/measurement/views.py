"""The three orthogonal views of a volume, laid out as radiologists read them where the volume's axes are
anatomical ones.

Axial and coronal views show the patient's right at the left edge; coronal and sagittal views have superior at
the top, axial ones anterior; sagittal views show anterior at the left edge. Volumes with oblique axes are
shown along their array axes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..imaging.volume import Geometry

_AXIS_ALIGNED_COSINE = 0.999
_AXIS_NAMES = "ijk"
# Name; LPS axes across the view, to the right and of the vertical; whether the latter points up; edge labels.
_ANATOMICAL = (
    ("Axial", 2, 0, 1, False, "RLAP"),
    ("Coronal", 1, 0, 2, True, "RLSI"),
    ("Sagittal", 0, 1, 2, True, "APSI"),
)


@dataclass(frozen=True)
class View:
    """How slices across one array axis are shown.

    Args:
        name: of the view.
        across, horizontal, vertical: array axes: across the slice, along the picture's rows and columns.
        flip_horizontal, flip_vertical: whether the axis runs leftwards or upwards in the picture.
        edges: what lies at the left, right, top and bottom edge; empty for oblique axes.
        pixel_mm: width and height of a pixel.
    """

    name: str
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
    for name, across, horizontal, vertical, upwards, edges in _ANATOMICAL:
        i, j, k = (int(axis_of_lps[lps]) for lps in (across, horizontal, vertical))
        flip_horizontal = bool(cosines[horizontal, j] < 0)
        flip_vertical = bool((cosines[vertical, k] > 0) == upwards)
        pixel_mm = geometry.spacing[j], geometry.spacing[k]
        views.append(View(name, i, j, k, flip_horizontal, flip_vertical, edges, pixel_mm))
    return tuple(views)


def slice_label(view: View, index: int) -> str:
    """Title of slice `index` of a view, for example "Axial, k = 31"."""
    return f"{view.name}, {_AXIS_NAMES[view.across]} = {index}"


def _array_view(geometry: Geometry, across: int) -> View:
    horizontal, vertical = (axis for axis in range(3) if axis != across)
    name = f"Plane {_AXIS_NAMES[horizontal]}→ {_AXIS_NAMES[vertical]}↓"
    pixel_mm = geometry.spacing[horizontal], geometry.spacing[vertical]
    return View(name, across, horizontal, vertical, False, False, "", pixel_mm)
