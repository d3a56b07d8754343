"""Measured numbers for people: three significant digits, and one unit for all volumes of a table, so that rows compare.

`for_programs` writes numbers for programs: it keeps all digits of a measurement, and a small number is never 0.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_DIGITS = 3
_MOST_DECIMALS = 12
_LEAST_ML = 0.1  # what is smaller than this at its largest is told in microlitres
UNKNOWN = "–"


@dataclass(frozen=True)
class VolumeUnit:
    """A unit of volume: its name, and its number in a millilitre."""

    name: str
    of_ml: float

    def text(self, volume_ml: float | None, *, signed: bool = False) -> str:
        """A volume in this unit, without its name."""
        return three_digits(None if volume_ml is None else volume_ml * self.of_ml, signed=signed)

    def interval(self, bounds_ml: tuple[float, float] | None) -> str:
        """An interval in words, because a dash would be unclear beside negative bounds."""
        return UNKNOWN if bounds_ml is None else f"{self.text(bounds_ml[0])} to {self.text(bounds_ml[1])}"


MILLILITRE, MICROLITRE = VolumeUnit("ml", 1.0), VolumeUnit("µl", 1000.0)


def volume_unit(volumes_ml: Iterable[float | None]) -> VolumeUnit:
    """The unit of a table with these volumes: the unit of the largest."""
    largest = max((abs(volume) for volume in volumes_ml if volume is not None), default=0.0)
    return MICROLITRE if 0 < largest < _LEAST_ML else MILLILITRE


def three_digits(value: float | None, *, signed: bool = False, least_decimals: int = 0) -> str:
    """A number with three significant digits, with a true minus and without exponent; a dash for what is unknown.

    Whole digits are never rounded away: 1234.5 is 1234.

    Args:
        value: the number; None and NaN are unknown.
        signed: write a plus sign, too.
        least_decimals: decimals of even a large number.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return f"{0:.{least_decimals}f}"
    rounded = float(f"{value:.{_DIGITS - 1}e}")
    decimals = max(least_decimals, _DIGITS - 1 - math.floor(math.log10(abs(rounded))))
    text = f"{value:{'+' if signed else ''}.{min(decimals, _MOST_DECIMALS)}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def for_programs(value: float | None) -> str:
    """A number for a table that programs read; empty for what is unknown."""
    return "" if value is None or not math.isfinite(value) else f"{value:.8g}"


def cell_for_programs(cell: str | float | None) -> str:
    """A cell of a table that programs read; counts and texts as they are."""
    return for_programs(cell) if isinstance(cell, float) or cell is None else str(cell)
