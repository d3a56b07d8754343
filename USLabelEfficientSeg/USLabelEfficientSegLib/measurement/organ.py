"""The measurement of an organ in a volume: volumes, shape, place, prediction interval and quality flags.

Definitions, and how 3D Slicer's Segment Statistics names the same quantities, are in `shape` and `surface`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from .flags import VOLUME_SENTENCES, Flag
from .quantities import Interval, Quantity
from .volumes import OrganVolume


@dataclass(frozen=True, kw_only=True)
class OrganMeasurement(OrganVolume):
    """Everything measured of one organ in one case; of an absent organ lengths and volumes are 0.

    Attributes:
        label: of the organ in the segmentation, from 1.
        surface_volume_ml: volume inside the closed surface of the organ, unsmoothed.
        surface_area_mm2: area of the same surface.
        axes_mm: side lengths of the box along the organ's principal axes, longest first.
        extents_ras_mm: side lengths of the box along the patient's axes: right-left, posterior-anterior,
            inferior-superior.
        max_diameter_mm: largest distance between two points of the surface.
        centroid_ras_mm: centre of mass in RAS millimetres, None of an absent organ.
        ellipsoid_volume_ml: pi/6 times the three `axes_mm`, the clinic's ellipsoid formula.
        interval_method: one sentence on how that interval was made; None where there is none.
        flags: reasons for caution, in the order of `Flag`.
        axes: directions of the axes of image and training, such as ("L-P-S", "R-A-S"), if they differ.
        drawn_slices: in how many slices of the volume somebody had drawn before it was segmented; None where the
            drawing had no part in it.
    """

    label: int
    surface_volume_ml: float
    surface_area_mm2: float
    axes_mm: tuple[float, float, float]
    extents_ras_mm: tuple[float, float, float]
    max_diameter_mm: float
    centroid_ras_mm: tuple[float, float, float] | None
    ellipsoid_volume_ml: float
    interval_method: str | None = None
    flags: tuple[Flag, ...] = ()
    axes: tuple[str, str] | None = None
    drawn_slices: int | None = None
    sentences: ClassVar[Mapping[Flag, str]] = VOLUME_SENTENCES

    def with_intervals(self, intervals: Mapping[str, Interval | None], method: str) -> "OrganMeasurement":
        """The measurement with the prediction intervals of its headline quantities, by their names."""
        interval = intervals["volume"]
        return replace(self, interval_ml=interval, interval_method=None if interval is None else method)

    @property
    def is_lower_bound(self) -> bool:
        """Whether part of the organ lies outside the image, so that it is at least as large as measured."""
        return Flag.CUT_BY_EDGE in self.flags

    @property
    def is_found(self) -> bool:
        """Whether the segmentation holds the organ at all."""
        return self.voxel_count > 0

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All that was measured, in the order of the columns of a table."""
        lengths = [f"axis_{n}" for n in (1, 2, 3)] + ["right_left", "anterior_posterior", "superior_inferior"]
        centroid = self.centroid_ras_mm or (None, None, None)
        return (
            Quantity("voxel_count", "", self.voxel_count),
            *self.headline,
            Quantity("surface_volume", "ml", self.surface_volume_ml),
            Quantity("ellipsoid_formula_volume", "ml", self.ellipsoid_volume_ml),
            Quantity("surface_area", "mm2", self.surface_area_mm2),
            *map(Quantity, lengths, ["mm"] * 6, [*self.axes_mm, *self.extents_ras_mm]),
            Quantity("max_diameter", "mm", self.max_diameter_mm),
            *(Quantity(f"centroid_{axis}", "mm", place) for axis, place in zip("ras", centroid, strict=True)),
        )
