"""Measurements as tables: a column for every quantity, its interval, its reference, and the difference."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..measurement.flags import Flag
from ..measurement.quantities import Interval, Measurement, Quantity
from ..text.numbers import UNKNOWN, three_digits, volume_unit
from .blocks import Table, number
from .content import CaseSummary

_SIGNS = {"mm2": "mm²"}


@dataclass(frozen=True)
class Scale:
    """The format of a quantity's values in a table: one unit for all, so that rows compare."""

    name: str
    unit: str
    factor: float = 1.0
    least_decimals: int = 0

    @property
    def title(self) -> str:
        """The quantity at the beginning of a sentence."""
        return self.name.capitalize()

    def heading(self, what: str = "") -> str:
        """The heading of a column of the quantity, or of what belongs to it."""
        return f"{what or self.title}, {self.unit}"

    def text(self, value: float | None, *, signed: bool = False) -> str:
        """A value without its unit."""
        scaled = None if value is None else value * self.factor
        return three_digits(scaled, signed=signed, least_decimals=self.least_decimals)

    def interval(self, bounds: Interval | None) -> str:
        """An interval in words, because a dash would be unclear beside negative bounds."""
        return UNKNOWN if bounds is None else f"{self.text(bounds[0])} to {self.text(bounds[1])}"


@dataclass(frozen=True)
class ErrorUnit:
    """How errors of a quantity are told.

    Attributes:
        name: of the unit.
        decimals: of a mean; None for three significant digits.
        average: what many errors are told by: its name and how it is calculated.
    """

    name: str
    decimals: int | None
    average: tuple[str, Callable[[Sequence[float]], np.floating]]


_PERCENT = ErrorUnit("%", 1, ("Median", np.median))
_MILLIMETRES = ErrorUnit("mm", None, ("Mean", np.mean))


def scale_of(quantity: Quantity, values: Iterable[float | None] = ()) -> Scale:
    """The scale of a quantity, of which a table holds these values."""
    name = quantity.name.replace("_", " ")
    if quantity.unit == "ml":
        unit = volume_unit(values)
        return Scale(name, unit.name, unit.of_ml)
    return Scale(name, _SIGNS.get(quantity.unit, quantity.unit), least_decimals=int(quantity.unit == "mm"))


def error_unit(quantity: Quantity) -> ErrorUnit:
    """Lengths differ by mm, volumes and areas by percent of the reference."""
    return _MILLIMETRES if quantity.unit == "mm" else _PERCENT


def known_value(row: Measurement, quantity: Quantity) -> float | None:
    """The value of a quantity; an organ that was not found has a volume and an area of 0, and no length."""
    return quantity.value if row.is_found or quantity.unit != "mm" else None


def error_of(row: Measurement, quantity: Quantity, true: float | None) -> float | None:
    """The difference of a value from its reference, in its `error_unit`; None if it cannot be told."""
    value = known_value(row, quantity)
    if value is None or true is None:
        return None
    if error_unit(quantity) == _MILLIMETRES:
        return value - true
    return 100.0 * (value - true) / true if true else None


def measurements_table(
    rows: Sequence[tuple[CaseSummary, Measurement]],
    caption: str,
    *,
    of_one_case: bool = False,
    links: Mapping[str, str] | None = None,
) -> Table:
    """The headline quantities with their intervals, cautions and references.

    Args:
        rows: at least one.
        caption, links: as in `Table`.
        of_one_case: the table has no names of cases, and tells the overlap with the reference.
    """
    first = rows[0][1].headline
    scales = [_common_scale(rows, position) for position in range(len(first))]
    headings = ["Case", "Organ"]
    for scale in scales:
        headings += [scale.heading(), scale.heading("90 % interval")]
    cautions = len(headings)
    headings.append("Cautions")
    for scale, quantity in zip(scales, first, strict=True):
        headings += [scale.heading("Reference"), f"{scale.title} error, {error_unit(quantity).name}"]
    headings.append("Dice")
    return table_of(
        headings,
        [_cells(case, row, scales, of_one_case) for case, row in rows],
        (0, 1, cautions),
        caption=caption,
        rows_of=[row for _, row in rows],
        links=links,
    )


def _common_scale(rows: Sequence[tuple[CaseSummary, Measurement]], position: int) -> Scale:
    quantities = [(case, row, row.headline[position]) for case, row in rows]
    values = [value for case, row, one in quantities for value in (one.value, case.true_value(row, one))]
    return scale_of(quantities[0][2], values)


def _cells(case: CaseSummary, row: Measurement, scales: Sequence[Scale], of_one_case: bool) -> list[str]:
    bound = "≥ " if row.is_lower_bound else ""
    cells = ["" if of_one_case else case.label, row.organ]
    for scale, quantity in zip(scales, row.headline, strict=True):
        cells += [bound + scale.text(quantity.value), scale.interval(quantity.interval)]
    cells.append(flag_names(row.flags))
    for scale, quantity in zip(scales, row.headline, strict=True):
        true = case.true_value(row, quantity)
        cells += [scale.text(true), number(error_of(row, quantity, true), 1, signed=True)]
    return [*cells, number(case.dice.get(row.organ) if of_one_case else None, 3)]


def flag_names(flags: Sequence[Flag]) -> str:
    """Flags in words for a cell of a table, marked; empty without any."""
    return f"⚠\N{NO-BREAK SPACE}{', '.join(flag.value.replace('_', ' ') for flag in flags)}" if flags else ""


def table_of(
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    texts: Sequence[int],
    *,
    caption: str,
    rows_of: Sequence[Measurement] = (),
    links: Mapping[str, str] | None = None,
) -> Table:
    """A table without its empty columns.

    Args:
        headings, cells: of all columns.
        texts: the columns of words, by their number in all.
        caption, links: as in `Table`.
        rows_of: what the rows were measured of: those that ask for caution are marked.
    """
    kept = [n for n in range(len(headings)) if any(row[n] not in (number(None), "") for row in cells)]
    return Table(
        [headings[n] for n in kept],
        [[row[n] for n in kept] for row in cells],
        tuple(position for position, n in enumerate(kept) if n in texts),
        caption,
        frozenset(n for n, row in enumerate(rows_of) if row.flags),
        links,
    )
