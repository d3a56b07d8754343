"""The rows of the table of 2-D images, from the table node that is saved with the scene; see `results_table`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from ...measurement.flags import IMAGE_SENTENCES, Flag
from ...text.numbers import VolumeUnit, three_digits
from ..nodes.tables_and_plots import CASE, CAUTIONS, ORGAN
from .image_table import (
    AREA,
    AREA_HIGH,
    AREA_LOW,
    CIRCUMFERENCE,
    CIRCUMFERENCE_HIGH,
    CIRCUMFERENCE_LOW,
    MAJOR_AXIS,
    MINOR_AXIS,
    OUTLINE_AREA,
)
from .node_measurements import EDITED

SQUARE_MILLIMETRE = VolumeUnit("mm²", 1.0)
Interval = tuple[float, float]


@dataclass(frozen=True)
class ImageRow:
    """An organ in an image.

    Attributes:
        case: name of the segmentation node.
        organ: name of the segment.
        value: the area to report in mm2.
        outline: the area of the counted pixels in mm2.
        interval: 90 % prediction interval of the area; None where there is none.
        circumference_mm: of the fitted ellipse.
        circumference_interval_mm: 90 % prediction interval of it; None where there is none.
        axes_mm: minor and major axis of that ellipse; None of an organ that was not found.
        cautions: words of the flags, as in the table.
    """

    case: str
    organ: str
    value: float
    outline: float
    interval: Interval | None
    circumference_mm: float
    circumference_interval_mm: Interval | None
    axes_mm: Interval | None
    cautions: tuple[str, ...]

    @property
    def scan(self) -> str:
        """The case without what all cases end with."""
        return self.case.removesuffix(" segmentation")

    @property
    def sentences(self) -> list[str]:
        """What the cautions mean."""
        return [_sentence(caution) for caution in self.cautions]

    def cells(self, unit: VolumeUnit) -> list[str]:
        """Cautions, image with organ, area with circumference, as a narrow panel has room for them."""
        sizes = f"{unit.text(self.value)}\n{three_digits(self.circumference_mm)}"
        return [", ".join(self.cautions), f"{self.scan}\n{self.organ}", sizes]

    def details(self, unit: VolumeUnit) -> str:
        """All else that a card tells."""
        parts = []
        if self.interval is not None:
            parts.append(_("90 % interval {interval} mm²").format(interval=unit.interval(self.interval)))
        length = _("circumference {length} mm").format(length=three_digits(self.circumference_mm))
        if self.circumference_interval_mm is not None:
            low, high = map(three_digits, self.circumference_interval_mm)
            length += " " + _("(90 % interval {low} to {high})").format(low=low, high=high)
        parts.append(length)
        if self.axes_mm is not None:
            minor, major = map(three_digits, self.axes_mm)
            parts.append(_("axes (BPD, OFD) {minor} mm and {major} mm").format(minor=minor, major=major))
        parts.append(_("outline area {area} mm²").format(area=unit.text(self.outline)))
        text = ", ".join(parts)
        return text[:1].upper() + text[1:] + "."


def image_headings() -> list[str]:
    """Of the columns of `ImageRow.cells`."""
    return [_("Cautions"), _("Image,\norgan"), _("Area, mm²,\ncircumference, mm")]


def image_row(table: Any, number: int, columns: dict[str, int]) -> ImageRow:
    """A row of a table node of images, its columns given by name."""

    def text(name: str) -> str:
        return str(table.GetCellText(number, columns[name])) if name in columns else ""

    def pair(first: str, second: str) -> Interval | None:
        return (float(text(first)), float(text(second))) if text(first) and text(second) else None

    cautions = text(CAUTIONS)
    return ImageRow(
        text(CASE),
        text(ORGAN),
        float(text(AREA)),
        float(text(OUTLINE_AREA)),
        pair(AREA_LOW, AREA_HIGH),
        float(text(CIRCUMFERENCE)),
        pair(CIRCUMFERENCE_LOW, CIRCUMFERENCE_HIGH),
        pair(MINOR_AXIS, MAJOR_AXIS),
        tuple(cautions.split(", ")) if cautions else (),
    )


def _sentence(caution: str) -> str:
    """The meaning of a caution in the table."""
    if caution == EDITED:
        return _("It was edited since the model found it, so its outline area counts and there is no interval.")
    return IMAGE_SENTENCES[Flag(caution.replace(" ", "_"))]
