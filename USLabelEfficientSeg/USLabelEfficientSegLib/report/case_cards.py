"""One case of a report in one place: its numbers, its cautions, its pictures; and the headline of them all."""

from collections.abc import Mapping, Sequence
from functools import partial

from ..imaging.organ_colours import organ_colour
from ..measurement.flags import sentence_of
from ..measurement.organ import OrganMeasurement
from ..text.numbers import VolumeUnit, volume_unit
from .blocks import UNCERTAINTY, CaseCard, Legend, LegendEntry, Picture, Table, number
from .common_sections import cautions_of, flag_names, table_of
from .content import CaseSummary, ReportCase
from .pictures.organ_surfaces import SIDES, organs_png
from .pictures.slice_picture import REFERENCE_COLOUR
from .pictures.volume_views import overlay_rows

_PICTURE_MM = 120.0


def case_card(case: ReportCase, organs: Sequence[str], anchor: str) -> CaseCard:
    """Draw a case and put its numbers beside the pictures."""
    unit = _unit_of([(row, case.true_volumes_ml) for row in case.rows])
    cells = [_cells(row, case.true_volumes_ml, case.dice, unit) for row in case.rows]
    return CaseCard(
        case.label,
        anchor,
        table_of(_headings(unit), cells, (0, 3), caption=f"Measurements of {case.label}", rows_of=case.rows),
        cautions_of(case.rows, partial(sentence_of, rows=case.rows)),
        overlay_rows(case, organs),
        _organs(case),
    )


def headline_table(cases: Sequence[CaseSummary], anchors: Mapping[str, str]) -> Table:
    """The volumes of all cases with their intervals and cautions; cases lead to their cards."""
    rows = [(case, row) for case in cases for row in case.rows]
    unit = _unit_of([(row, case.true_volumes_ml) for case, row in rows])
    cells = [[case.label, *_cells(row, case.true_volumes_ml, {}, unit)] for case, row in rows]
    return table_of(
        ("Case", *_headings(unit)),
        cells,
        (0, 1, 4),
        caption="Volumes, those that ask for caution first",
        rows_of=[row for _, row in rows],
        links=anchors,
    )


def outlines_legend(organs: Sequence[str], *, references: bool, uncertainty: bool) -> Legend:
    """What the lines over the images stand for."""
    entries = [LegendEntry(organ, organ_colour(label), "line") for label, organ in enumerate(organs, start=1)]
    if references:
        entries.append(LegendEntry("reference", REFERENCE_COLOUR, "dashed line"))
    if uncertainty:
        entries.append(LegendEntry("uncertainty, from none to the largest", "#FCA50A", UNCERTAINTY))
    return Legend(entries)


def error_percent(measured_ml: float, true_ml: float) -> float:
    """Error of a volume in percent of the true one."""
    return 100.0 * (measured_ml - true_ml) / true_ml


def _headings(unit: VolumeUnit) -> tuple[str, ...]:
    volumes = (f"{name}, {unit.name}" for name in ("Volume", "90 % interval"))
    return ("Organ", *volumes, "Cautions", f"Reference, {unit.name}", "Volume error, %", "Dice")


def _unit_of(rows: Sequence[tuple[OrganMeasurement, Mapping[str, float]]]) -> VolumeUnit:
    measured = [volume_ml for row, true_ml in rows for volume_ml in (row.volume_ml, true_ml.get(row.organ))]
    return volume_unit(measured)


def _cells(
    row: OrganMeasurement, true_volumes_ml: Mapping[str, float], dice: Mapping[str, float], unit: VolumeUnit
) -> list[str]:
    true_ml = true_volumes_ml.get(row.organ)
    return [
        row.organ,
        ("≥ " if row.is_lower_bound else "") + unit.text(row.volume_ml),
        unit.interval(row.interval_ml),
        flag_names(row.flags),
        unit.text(true_ml),
        number(error_percent(row.volume_ml, true_ml) if true_ml else None, 1, signed=True),
        number(dice.get(row.organ), 3),
    ]


def _organs(case: ReportCase) -> Picture | None:
    shaded = organs_png(case.prediction)
    if shaded is None:
        return None
    sides = f"{SIDES[0]}, {SIDES[1]} and {SIDES[2]}"
    description = f"{case.label}: the segmented organs as shaded surfaces, from {sides}."
    return Picture(shaded, f"The organs in 3-D, from {sides}", description, _PICTURE_MM)
