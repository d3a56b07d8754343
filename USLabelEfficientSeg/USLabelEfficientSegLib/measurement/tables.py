"""Measurements as tables for people: `volumes.csv` and `areas.csv`, units in the headings."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..disk.files import atomic_write_csv
from ..text.numbers import cell_for_programs
from .quantities import Measurement, interval_name


def write_measurements_csv(
    path: Path, rows: Sequence[Measurement], true_values: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """Write measurements of one kind as CSV (UTF-8), a row a case and organ; what is not known is an empty cell.

    A quantity to report has columns for its outline and its interval beside its own.

    Args:
        path: of the table.
        rows: at least one.
        true_values: of the first quantity to report, by case and organ, for a last column.
    """
    lines = [table_row(row) for row in rows]
    if true_values:
        for line, row in zip(lines, rows, strict=True):
            line[f"true_{row.headline[0].column}"] = true_values[row.case][row.organ]
    atomic_write_csv(path, [list(lines[0]), *(map(cell_for_programs, line.values()) for line in lines)])


def table_row(row: Measurement) -> dict[str, str | float | None]:
    """The cells of a measurement by their headings; None is not known."""
    cells: dict[str, str | float | None] = {"case": row.case, "organ": row.organ}
    for quantity in row.quantities:
        cells[quantity.column] = _finite(quantity.value)
        if quantity.outline is not None:
            cells[f"outline_{quantity.column}"] = _finite(quantity.outline)
        if quantity.headline:
            for bound, value in zip(("low", "high"), quantity.interval or (None, None), strict=True):
                cells[f"{interval_name(row, quantity)}_{bound}_{quantity.unit}"] = _finite(value)
    return {**cells, "flags": " ".join(row.flags)}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
