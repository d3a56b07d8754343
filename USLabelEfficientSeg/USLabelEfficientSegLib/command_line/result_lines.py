"""A line on each segmented scan: for programs (`segment --json`) as JSON, and for people."""

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..text.numbers import VolumeUnit, three_digits, volume_unit

if TYPE_CHECKING:
    from ..measurement.quantities import Measurement, Quantity

_UNITS = {"mm2": "mm²"}  # for people


def result_line(file: Path, rows: Sequence["Measurement"], next_slice: str | None = None) -> str:
    """The quantities to report of every organ, with their intervals and reasons for caution; null for the unknown.

    Args:
        file: the segmentation.
        rows: a measurement of each organ.
        next_slice: in words, the slice that is worth drawing next, if somebody has drawn.
    """
    from ..measurement.quantities import interval_name

    record: dict[str, Any] = {"file": str(file)}
    organs = []
    for row in rows:
        told: dict[str, Any] = {"organ": row.organ}
        for quantity in row.headline:
            interval = interval_name(row, quantity)
            told |= {quantity.column: quantity.value, f"{interval}_{quantity.unit}": quantity.interval}
            if quantity.outline is not None:
                told[f"outline_{quantity.column}"] = quantity.outline
            for name, value in ((quantity.name, quantity.value), (interval, quantity.interval)):
                record.setdefault(f"{name}s_{quantity.unit}", {})[row.organ] = value
        organs.append(told | {"flags": [flag.value for flag in row.flags]})
    if next_slice is not None:
        record["next_slice"] = next_slice
    return json.dumps(_known(record | {"organs": organs}), allow_nan=False)


def result_text(rows: Sequence["Measurement"]) -> str:
    """Organs with the quantities to report, all volumes in one unit, and their intervals where there are any."""
    unit = volume_unit(quantity.value for row in rows for quantity in row.headline if quantity.unit == "ml")
    return ", ".join(f"{row.organ} {_quantities(row, unit)}" for row in rows)


def _quantities(row: "Measurement", unit: VolumeUnit) -> str:
    if len(row.headline) == 1:
        return _text(row.headline[0], unit)
    return ", ".join(f"{quantity.name} {_text(quantity, unit)}" for quantity in row.headline)


def _text(quantity: "Quantity", unit: VolumeUnit) -> str:
    if quantity.unit == "ml":
        digits, name = unit.text, unit.name
    else:
        digits = partial(three_digits, least_decimals=1 if quantity.unit == "mm" else 0)
        name = _UNITS.get(quantity.unit, quantity.unit)
    bounds = "" if quantity.interval is None else " (90 %: {} to {})".format(*map(digits, quantity.interval))
    return f"{digits(quantity.value)} {name}{bounds}"


def _known(value: Any) -> Any:
    """A value with null for what is no finite number."""
    if isinstance(value, dict):
        return {key: _known(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_known(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
