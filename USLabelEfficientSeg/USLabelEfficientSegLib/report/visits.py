"""Repeated scans of a subject: how an organ changed, and whether that is more than the measurement's error.

The interval of a change joins those of its two values, taken as independent, by the method of variance estimates
recovery (Zou and Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in
Medicine 27:1693-1702, 2008): with values a, b and bounds a1 < a < a2, b1 < b < b2 the change d = b - a lies between
d - sqrt((b - b1)^2 + (a2 - a)^2) and d + sqrt((b2 - b)^2 + (a - a1)^2). It exceeds the error when that excludes 0.
"""

import csv
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..measurement.quantities import Interval, Measurement, Quantity
from ..text.csv_lines import refuse_more_cells
from ..text.display import text_of_csv_cell

_HEADINGS = ("case", "subject")
_ORDERS = ("date", "order")


@dataclass(frozen=True)
class Visit:
    """A scan of a subject: `when` is a day number (of a date) or any number that orders the scans."""

    case: str
    subject: str
    when: float
    is_date: bool


@dataclass(frozen=True)
class Change:
    """A quantity of one organ in two scans of a subject, the earlier one first.

    Attributes:
        subject, organ: their names.
        label: of the organ.
        scans: their numbers among the scans of the subject, from 1.
        cases: the names of the scans.
        before, after: what was measured.
        days: between the scans, where their dates are known.
    """

    subject: str
    organ: str
    label: int
    scans: tuple[int, int]
    cases: tuple[str, str]
    before: Quantity
    after: Quantity
    days: int | None = None

    @property
    def value(self) -> float:
        """The change, in the unit of the quantity."""
        return (self.after.value or 0.0) - (self.before.value or 0.0)

    @property
    def percent(self) -> float | None:
        """The change in percent of the earlier value; None where the organ was not found."""
        return 100 * self.value / self.before.value if self.before.value else None

    @property
    def interval(self) -> Interval | None:
        """The 90 % interval of the change; None where a value has none."""
        if self.before.interval is None or self.after.interval is None:
            return None
        (a1, a2), (b1, b2) = self.before.interval, self.after.interval
        a, b = self.before.value or 0.0, self.after.value or 0.0
        return self.value - math.hypot(b - b1, a2 - a), self.value + math.hypot(b2 - b, a - a1)

    @property
    def exceeds_error(self) -> bool | None:
        """Whether the interval of the change excludes 0; None where there is no interval."""
        if self.interval is None:
            return None
        lower, upper = self.interval
        return lower > 0 or upper < 0


def read_visits(path: Path) -> list[Visit]:
    """Visits from a CSV with the columns `case`, `subject`, and `date` (2024-02-29) or `order` (a number).

    Raises:
        InputError: it cannot be read, a column or value is missing or wrong, or a case occurs twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader: csv.DictReader[Any] = csv.DictReader(file)
            headings = [heading.strip() for heading in reader.fieldnames or ()]
            reader.fieldnames = headings
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"cannot be read ({error})", "give a CSV file in UTF-8") from None
    orders = [name for name in _ORDERS if name in headings]
    if len(orders) != 1 or any(name not in headings for name in _HEADINGS):
        raise InputError(path, "lacks a column", "give the columns case, subject, and either date or order")
    visits: dict[str, Visit] = {}
    for line, row in enumerate(rows, start=2):
        refuse_more_cells(path, line, row.get(None))
        case, subject, text = (text_of_csv_cell((row[name] or "").strip()) for name in (*_HEADINGS, orders[0]))
        if not case or not subject:
            raise InputError(path, f"has no case or subject in line {line}", "fill in every cell")
        if case in visits:
            raise InputError(path, f"names the case {case} twice", "keep one line for every case")
        visits[case] = Visit(case, subject, _when(text, orders[0], path, line), orders[0] == "date")
    return list(visits.values())


def check_visits(visits: Iterable[Visit], cases: Container[str]) -> None:
    """Raise `InputError` when a visit has no case."""
    for visit in visits:
        if visit.case not in cases:
            problem = "is a visit of which there is no segmentation"
            raise InputError(visit.case, problem, "remove its line or segment it")


def changes(rows: Sequence[Measurement], visits: Sequence[Visit]) -> list[Change]:
    """Changes from scan to scan of each subject, and from the first to the last of three or more.

    Every organ has one of each of its headline quantities. Cases without a visit are passed over, as are subjects with
    a single scan.

    Raises:
        InputError: a visit of a case that was not measured, or two scans of a subject at the same time.
    """
    by_case: dict[str, dict[str, Measurement]] = {}
    for row in rows:
        by_case.setdefault(row.case, {})[row.organ] = row
    check_visits(visits, by_case)
    by_subject: dict[str, list[Visit]] = {}
    for visit in visits:
        by_subject.setdefault(visit.subject, []).append(visit)
    found = []
    for subject, scans in by_subject.items():
        scans.sort(key=lambda visit: visit.when)
        if len({visit.when for visit in scans}) < len(scans):
            raise InputError(f"subject {subject}", "has two scans at the same time", "give each its own date or order")
        last = len(scans) - 1
        pairs = [(n, n + 1) for n in range(last)] + ([(0, last)] if last > 1 else [])
        for first, second in pairs:
            numbers = (first + 1, second + 1)
            found += _between(scans[first], scans[second], numbers, by_case)
    return found


def _between(
    earlier: Visit, later: Visit, numbers: tuple[int, int], rows: Mapping[str, Mapping[str, Measurement]]
) -> list[Change]:
    """The changes of all organs between two scans."""
    days = round(later.when - earlier.when) if earlier.is_date else None
    cases, after = (earlier.case, later.case), rows[later.case]
    return [
        Change(earlier.subject, organ, row.label, numbers, cases, *values, days)
        for organ, row in rows[earlier.case].items()
        if organ in after
        for values in zip(row.headline, after[organ].headline, strict=True)
    ]


def _when(text: str, kind: str, path: Path, line: int) -> float:
    try:
        value = float(date.fromisoformat(text).toordinal()) if kind == "date" else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        form = "such as 2024-02-29" if kind == "date" else "as a number"
        raise InputError(path, f"has the {kind} {text!r} in line {line}", f"give every {kind} {form}")
    return value
