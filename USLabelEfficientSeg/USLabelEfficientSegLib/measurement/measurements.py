"""What is measured of an organ: volumes, shape, place, prediction interval and quality flags.

Definitions, and how 3D Slicer's Segment Statistics names the same quantities, are in `shape` and `surface`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .quantities import Quantity
from .volumes import OrganVolume


class Flag(StrEnum):
    """A reason not to take a measurement at its face value; the value is its name in files."""

    EMPTY = "empty"
    CUT_BY_EDGE = "cut_by_edge"
    SEVERAL_COMPONENTS = "several_components"
    HOLES = "holes"
    UNCERTAIN_BOUNDARY = "uncertain_boundary"
    OUTSIDE_TRAINING_RANGE = "outside_training_range"
    UNUSUAL_INTENSITIES = "unusual_intensities"
    UNUSUAL_SPACING = "unusual_spacing"
    EDITED = "edited"
    OTHER_AXES = "other_axes"
    FEW_SLICES = "few_slices"
    OTHER_MODEL = "other_model"
    UNKNOWN_MODEL = "unknown_model"

    @property
    def sentence(self) -> str:
        """What it means, for the clinician who reads the number."""
        return _SENTENCES[self]


_SENTENCES = {
    Flag.EMPTY: "The organ was not found in this image, so its volume is 0 ml; check the image before using this.",
    Flag.CUT_BY_EDGE: "The organ reaches the edge of the imaged region; its true volume is at least the given one.",
    Flag.SEVERAL_COMPONENTS: "The segmentation consists of separate pieces; check that each belongs to the organ.",
    Flag.HOLES: "The segmentation has holes inside, which are not counted in the volume; check that they are real.",
    Flag.UNCERTAIN_BOUNDARY: "The boundary of the organ is very uncertain; check the contours before using the volume.",
    Flag.OUTSIDE_TRAINING_RANGE: "The organ is much smaller or larger than those the model has learnt from.",
    Flag.UNUSUAL_INTENSITIES: "The image looks unlike those the model has learnt from; check the contours with care.",
    Flag.UNUSUAL_SPACING: "The voxel spacing or the field of view is unusual for ultrasound, or for the volumes that a "
    "model has learnt from; check that the image carries its true spacing in mm.",
    Flag.EDITED: "The outline is not, or no longer, as the model has made it: it was edited, moved or exchanged. "
    "The volume is that of the outline, and there is no interval.",
    Flag.OTHER_AXES: "The axes of the image run in other directions than those of the training, in which the model "
    "knows the organs; store the image in their order, or train with `study create --orientation anatomical`.",
    Flag.FEW_SLICES: "The organ was filled in from what was drawn of it, without training, and its volume may be a "
    "quarter off; draw slices across each other, and check the contours before using the volume.",
    Flag.OTHER_MODEL: "The segmentation was not made by this study's model: the study's settings and checksums do not "
    "tell how it was made.",
    Flag.UNKNOWN_MODEL: "Nothing tells which model has made the segmentation: the study's settings and checksums may "
    "not be those behind it.",
}


def sentence_of(flag: Flag, rows: Iterable["OrganMeasurement"]) -> str:
    """What a flag of some measurements means; of axes also how they run."""
    pairs = {row.axes for row in rows if row.axes is not None and flag in row.flags}
    if flag != Flag.OTHER_AXES or not pairs:
        return flag.sentence
    told = "; ".join(f"its axes run {own}, those of the training {known}" for own, known in sorted(pairs))
    return f"{flag.sentence.removesuffix('.')} ({told})."


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
        interval_ml: 90 % prediction interval of the true volume; None where the model was not calibrated.
        interval_method: one sentence on how that interval was made; None where there is none.
        flags: reasons for caution, in the order of `Flag`.
        axes: how the axes of the image and those of the training run, such as ("L-P-S", "R-A-S"), where they differ.
    """

    label: int
    surface_volume_ml: float
    surface_area_mm2: float
    axes_mm: tuple[float, float, float]
    extents_ras_mm: tuple[float, float, float]
    max_diameter_mm: float
    centroid_ras_mm: tuple[float, float, float] | None
    ellipsoid_volume_ml: float
    interval_ml: tuple[float, float] | None = None
    interval_method: str | None = None
    flags: tuple[Flag, ...] = ()
    axes: tuple[str, str] | None = None

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

    @property
    def headline(self) -> tuple[Quantity, ...]:
        """The volume."""
        return (Quantity("volume", "ml", self.volume_ml, self.interval_ml, self.outline_volume_ml, headline=True),)


def in_words_of_today(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a stored measurement; in format 1 `volume_ml` and `area_mm2` were the counted ones."""
    fields = dict(row)
    for name in ("volume_ml", "area_mm2"):
        if f"probability_{name}" in fields:
            weighted, outline = fields.pop(f"probability_{name}"), fields[name]
            fields[f"outline_{name}"] = outline
            fields[name] = outline if weighted is None else weighted
            fields["from_probabilities"] = weighted is not None
    return fields
