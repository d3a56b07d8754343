"""Measurements as tables for people: `volumes.csv` and `areas.csv`, units in the headings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..disk.files import atomic_write_csv
from ..text.numbers import for_programs
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
    lines = [{"case": row.case, "organ": row.organ, **_numbers(row), "flags": " ".join(row.flags)} for row in rows]
    if true_values:
        for line, row in zip(lines, rows, strict=True):
            line[f"true_{row.headline[0].column}"] = for_programs(true_values[row.case][row.organ])
    atomic_write_csv(path, [list(lines[0]), *(list(line.values()) for line in lines)])


def _numbers(row: Measurement) -> dict[str, str]:
    """The cells of all quantities, by their headings."""
    cells: dict[str, str] = {}
    for quantity in row.quantities:
        cells[quantity.column] = str(quantity.value) if quantity.unit == "" else for_programs(quantity.value)
        if quantity.outline is not None:
            cells[f"outline_{quantity.column}"] = for_programs(quantity.outline)
        if quantity.headline:
            for bound, value in zip(("low", "high"), quantity.interval or (None, None), strict=True):
                cells[f"{interval_name(row, quantity)}_{bound}_{quantity.unit}"] = for_programs(value)
    return cells
