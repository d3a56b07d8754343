"""The rows of the table of results, of volumes or 2-D images, from the table node that is saved with the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from ...measurement.flags import Flag
from ...text.numbers import VolumeUnit, volume_unit
from ..nodes.tables_and_plots import CASE, CAUTIONS, HIGH, LOW, ORGAN, OUTLINE, VOLUME
from .image_rows import SQUARE_MILLIMETRE, ImageRow, image_headings, image_row
from .image_table import isOfImages
from .node_measurements import EDITED

_SEGMENTATION = " segmentation"  # ends the name of every result; the panel has no room for it


@dataclass(frozen=True)
class ResultRow:
    """An organ of a result.

    Attributes:
        case: name of the segmentation node.
        organ: name of the segment.
        volume_ml: the number to report.
        outline_volume_ml: the counted voxels; None in a table of an earlier version.
        interval_ml: 90 % prediction interval of the volume; None where there is none.
        cautions: words of the flags, as in the table.
    """

    case: str
    organ: str
    volume_ml: float
    outline_volume_ml: float | None
    interval_ml: tuple[float, float] | None
    cautions: tuple[str, ...]

    @property
    def value(self) -> float:
        """The number to report, in ml."""
        return self.volume_ml

    @property
    def outline(self) -> float | None:
        """Of the counted voxels, in ml."""
        return self.outline_volume_ml

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 90 % prediction interval of the value, in ml."""
        return self.interval_ml

    @property
    def scan(self) -> str:
        """The case without what all cases end with."""
        return self.case.replace(_SEGMENTATION, "")

    @property
    def sentences(self) -> list[str]:
        """What the cautions mean."""
        return [_sentence(caution) for caution in self.cautions]

    def cells(self, unit: VolumeUnit) -> list[str]:
        """Cautions, scan with organ, volume with interval, as a narrow panel has room for them."""
        missing = _("edited") if EDITED in self.cautions else "–"
        interval = missing if self.interval_ml is None else unit.interval(self.interval_ml)
        return [", ".join(self.cautions), f"{self.scan}\n{self.organ}", f"{unit.text(self.volume_ml)}\n{interval}"]

    def details(self, unit: VolumeUnit) -> str:
        """All else that a card tells."""
        parts = []
        if self.interval_ml is not None:
            interval = unit.interval(self.interval_ml)
            parts.append(_("90 % interval {interval} {unit}").format(interval=interval, unit=unit.name))
        if self.outline_volume_ml is not None:
            outline = unit.text(self.outline_volume_ml)
            parts.append(_("outline volume {volume} {unit}").format(volume=outline, unit=unit.name))
        text = ", ".join(parts)
        return text[:1].upper() + text[1:] + "." if text else ""


AnyRow = ResultRow | ImageRow


def headings(unit: VolumeUnit) -> list[str]:
    """Of the columns of the rows' cells."""
    if unit is SQUARE_MILLIMETRE:
        return image_headings()
    return [_("Cautions"), _("Scan,\norgan"), _("Volume, {unit},\n90 % interval").format(unit=unit.name)]


def unit_of(rows: Sequence[AnyRow]) -> VolumeUnit:
    """One unit for all volumes, so that they compare; square millimetres for images."""
    if any(isinstance(row, ImageRow) for row in rows):
        return SQUARE_MILLIMETRE
    return volume_unit(row.value for row in rows)


def rows_of(table: Any) -> Sequence[AnyRow]:
    """The rows of a table node, None for no table: scans with cautions first, the organs of a scan together."""
    if table is None:
        return []
    columns = {table.GetColumnName(column): column for column in range(table.GetNumberOfColumns())}
    read = image_row if isOfImages(table) else _row
    rows = [read(table, number, columns) for number in range(table.GetNumberOfRows())]
    careful = {row.case for row in rows if row.cautions}
    return sorted(rows, key=lambda row: row.case not in careful)


def _row(table: Any, number: int, columns: dict[str, int]) -> ResultRow:
    def text(name: str) -> str:
        return str(table.GetCellText(number, columns[name])) if name in columns else ""

    outline, low, high, cautions = text(OUTLINE), text(LOW), text(HIGH), text(CAUTIONS)
    return ResultRow(
        text(CASE),
        text(ORGAN),
        float(text(VOLUME)),
        float(outline) if outline else None,
        (float(low), float(high)) if low and high else None,
        tuple(cautions.split(", ")) if cautions else (),
    )


def _sentence(caution: str) -> str:
    """The meaning of a caution in the table."""
    if caution == EDITED:
        return _("It was edited since the model found it, so its outline volume counts and there is no interval.")
    return Flag(caution.replace(" ", "_")).sentence
