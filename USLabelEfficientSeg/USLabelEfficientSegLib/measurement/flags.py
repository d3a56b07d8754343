"""Reasons for caution: flags of measurements, and their meaning for the reader of a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .quantities import Measurement


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
    CORRECTED = "corrected"
    FEW_SLICES = "few_slices"
    OTHER_MODEL = "other_model"
    UNKNOWN_MODEL = "unknown_model"

    @property
    def sentence(self) -> str:
        """Its meaning for an organ in a volume, for the clinician who reads the number."""
        return VOLUME_SENTENCES[self]


#: What flags mean for an organ in a volume.
VOLUME_SENTENCES = {
    Flag.EMPTY: "The organ was not found in this image, so its volume is 0 ml; check the image before using this.",
    Flag.CUT_BY_EDGE: "The organ reaches the edge of the imaged region; its true volume is at least the given one.",
    Flag.SEVERAL_COMPONENTS: "The segmentation consists of separate pieces; check that each belongs to the organ.",
    Flag.HOLES: "The segmentation has holes inside, which are not counted in the volume; check that they are real.",
    Flag.UNCERTAIN_BOUNDARY: "The boundary of the organ is very uncertain; check the contours before using the volume.",
    Flag.OUTSIDE_TRAINING_RANGE: "The organ is much smaller or larger than in the model's training images.",
    Flag.UNUSUAL_INTENSITIES: "The image looks unlike the model's training images; check the contours with care.",
    Flag.UNUSUAL_SPACING: "The voxel spacing or the field of view is unusual for ultrasound, or for the training "
    "images of a model; check that the image carries its true spacing in mm.",
    Flag.EDITED: "The outline is not the model's own: it was drawn, edited, moved or exchanged. "
    "The volume is that of the outline, and there is no interval.",
    Flag.OTHER_AXES: "The axes of the image run in other directions than in the training, where the model learnt "
    "the organs; store the image in their order, or train with `study create --orientation anatomical`.",
    Flag.CORRECTED: "The model's outline was corrected by what was drawn in this volume; its volume and "
    "interval are those of the corrected outline.",
    Flag.FEW_SLICES: "The organ was filled in from a drawing, without training; check the contours before using the "
    "volume, and draw slices across each other: they narrow its interval.",
    Flag.OTHER_MODEL: "The segmentation was not made by this study's model: the study's settings and checksums do not "
    "tell how it was made.",
    Flag.UNKNOWN_MODEL: "The model that made the segmentation is unknown: the study's settings and checksums may not "
    "apply to it.",
}

_OF_BOTH = (Flag.OTHER_AXES, Flag.CORRECTED, Flag.FEW_SLICES, Flag.OTHER_MODEL, Flag.UNKNOWN_MODEL)

#: What they mean for an organ in a 2-D image.
IMAGE_SENTENCES = {
    Flag.EMPTY: "The organ was not found in this image, so its area is 0; check the image before using this.",
    Flag.CUT_BY_EDGE: "The organ reaches the edge of the image; its true area and circumference are at least these.",
    Flag.SEVERAL_COMPONENTS: "The segmentation consists of separate pieces; the ellipse fits the largest piece.",
    Flag.HOLES: "The segmentation has holes inside, which are not counted in the area; check that they are real.",
    Flag.UNCERTAIN_BOUNDARY: "The boundary of the organ is very uncertain; check the contour before using the numbers.",
    Flag.OUTSIDE_TRAINING_RANGE: "The organ is much smaller or larger than in the model's training images.",
    Flag.UNUSUAL_INTENSITIES: "The image looks unlike the model's training images; check the contour with care.",
    Flag.UNUSUAL_SPACING: "The pixels are much smaller or larger than in the model's training images; check that the "
    "pixel size is right.",
    Flag.EDITED: "The outline is not the model's own: it was drawn, edited, moved or exchanged. "
    "The area is that of the outline, and there are no intervals.",
    **{flag: flag.sentence for flag in _OF_BOTH},
}


def sentence_of(flag: Flag, rows: Iterable[Measurement]) -> str:
    """The meaning of a flag of some measurements; also the directions of axes, and in how many slices was drawn."""
    flagged = [row for row in rows if flag in row.flags]
    sentence = flagged[0].sentences[flag] if flagged else flag.sentence
    told = _DETAILS[flag](flagged) if flag in _DETAILS else ""
    return f"{sentence.removesuffix('.')} ({told})." if told else sentence


def _directions(flagged: Sequence[Measurement]) -> str:
    pairs = {row.axes for row in flagged if row.axes is not None}
    return "; ".join(f"its axes run {own}, those of the training {known}" for own, known in sorted(pairs))


def _drawn(flagged: Sequence[Measurement]) -> str:
    counts = sorted({row.drawn_slices for row in flagged if row.drawn_slices is not None})
    return "" if not counts else f"drawn slices: {', '.join(map(str, counts))}"


_DETAILS: dict[Flag, Callable[[Sequence[Measurement]], str]] = {
    Flag.OTHER_AXES: _directions,
    Flag.CORRECTED: _drawn,
    Flag.FEW_SLICES: _drawn,
}


def ordered(flags: Iterable[Flag]) -> tuple[Flag, ...]:
    """Each of the flags once, in the order of `Flag`."""
    known = set(flags)
    return tuple(flag for flag in Flag if flag in known)
