"""The first section of a report: the main numbers, those that ask for caution first."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..blocks import TEXT_MM, Block, Picture, Section, Tiles, number
from ..content import CaseSummary
from ..kinds import Kind
from ..pictures.value_charts import Point, on_pages, values_png
from ..tables import error_of, error_unit, measurements_table, scale_of


def at_a_glance_section(
    kind: Kind, organs: Sequence[str], cases: Sequence[CaseSummary], anchors: Mapping[str, str]
) -> Section:
    """Tiles, and the headline quantities of all cases as a table and as charts; empty without a case.

    Args:
        kind, organs: as in `ReportContent`.
        cases: in the order in which they are shown.
        anchors: where the labels of the cases lead.
    """
    rows = [(case, row) for case in cases for row in case.rows]
    blocks: list[Block] = [Tiles(_tiles(kind, cases))] if cases else []
    if rows:
        blocks.append(measurements_table(rows, "Measurements, those that ask for caution first", links=anchors))
    if len(cases) > 1:
        for position in range(len(rows[0][1].headline) if rows else 0):
            blocks += _charts(organs, cases, position)
    return Section("At a glance", blocks)


def _tiles(kind: Kind, cases: Sequence[CaseSummary]) -> dict[str, str]:
    flagged = sum(any(row.flags for row in case.rows) for case in cases)
    scans = kind.scans.capitalize()
    tiles = {f"Segmented {kind.scans}": str(len(cases)), f"{scans} with a caution": f"{flagged} of {len(cases)}"}
    overlaps = [value for case in cases for value in case.dice.values()]
    if overlaps:
        tiles["Mean Dice"] = f"{np.mean(overlaps):.3f}"
    rows = [(case, row) for case in cases for row in case.rows]
    for position, quantity in enumerate(rows[0][1].headline if rows else ()):
        found = [(row, row.headline[position], case) for case, row in rows]
        errors = [error_of(row, one, case.true_value(row, one)) for row, one, case in found]
        sizes = [abs(error) for error in errors if error is not None]
        if sizes:
            unit, name = error_unit(quantity), scale_of(quantity).name
            average, averaged = unit.average
            told = number(float(averaged(sizes)), unit.decimals)
            tiles[f"{average} absolute error of the {name}"] = f"{told} {unit.name}"
    return tiles


def _charts(organs: Sequence[str], cases: Sequence[CaseSummary], position: int) -> list[Picture]:
    """Charts of a quantity of several cases, in the order of the table."""
    scale = scale_of(next(row for case in cases for row in case.rows).headline[position])
    points = [
        [Point.of(row.label, one, case.true_value(row, one)) for row in case.rows for one in [row.headline[position]]]
        for case in cases
    ]
    flat = [point for case in points for point in case]
    bars = " Wide bars are the 90 % intervals." if any(point.interval for point in flat) else ""
    truth = " Hollow diamonds are the references." if any(point.true is not None for point in flat) else ""
    caption = f"{scale.title} of every organ by case, in the order of the table.{bars}{truth}"
    described = f"{scale.title} of the organs of {len(cases)} cases in {scale.unit}; the table has the numbers."
    parts = [
        [[point for point in case if point.label in labels] for case in points]
        for labels in on_pages(point.label for point in flat)
    ]
    return [Picture(values_png(part, organs, scale.heading()), caption, described, TEXT_MM) for part in parts]
