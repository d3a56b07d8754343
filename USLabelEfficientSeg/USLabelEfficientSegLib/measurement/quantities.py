"""Quantities: the measurements of an organ, as one list for volumes and 2-D images alike.

Tables, JSON, evaluation, reports and Slicer loop over them and need not know the dimension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .flags import Flag

Interval = tuple[float, float]


@dataclass(frozen=True)
class Quantity:
    """One measured number.

    Attributes:
        name: what it is, such as "volume"; with the unit it is a column of a table.
        unit: "ml", "mm2", "mm", "degrees"; "" of a count.
        value: in that unit; None where it is not known, as the centre of an absent organ.
        interval: 90 % prediction interval of the true value; None where the model was not calibrated.
        outline: of the counted outline, where `value` may be the expected value from probabilities.
        headline: whether it is a main result, to report, calibrate and evaluate.
    """

    name: str
    unit: str
    value: float | None
    interval: Interval | None = None
    outline: float | None = None
    headline: bool = False

    @property
    def column(self) -> str:
        """Its heading in tables and its key in JSON, such as `volume_ml`."""
        return f"{self.name}_{self.unit}" if self.unit else self.name


class Measurement(Protocol):
    """The measurement of one organ in one case."""

    @property
    def case(self) -> str:
        """Name of the case."""

    @property
    def organ(self) -> str:
        """Name of the organ."""

    @property
    def label(self) -> int:
        """Of the organ in the segmentation, from 1."""

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Reasons for caution, in the order of `Flag`."""

    @property
    def interval_method(self) -> str | None:
        """One sentence on how the intervals were made; None where there are none."""

    @property
    def is_lower_bound(self) -> bool:
        """Whether part of the organ lies outside the image, so that it is at least as large as measured."""

    @property
    def is_found(self) -> bool:
        """Whether the segmentation holds the organ at all."""

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All that was measured, in the order of the columns of a table."""

    @property
    def headline(self) -> tuple[Quantity, ...]:
        """The quantities to report: volume; or area and circumference."""

    @property
    def sentences(self) -> Mapping[Flag, str]:
        """The meaning of each flag for measurements of this kind."""

    @property
    def axes(self) -> tuple[str, str] | None:
        """The directions of the axes of image and training, if they differ."""

    @property
    def drawn_slices(self) -> int | None:
        """In how many slices somebody had drawn before; None where no drawing had a part in it."""


def interval_name(row: Measurement, quantity: Quantity) -> str:
    """What the interval of a quantity to report is called in tables and JSON; the only one needs no name."""
    return "interval" if len(row.headline) == 1 else f"{quantity.name}_interval"


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
